//! An object given as a change of another one.

/// Makes an object from its base. `None` where the change does not fit it, or is broken.
pub(super) fn apply(base: &[u8], delta: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut rest = delta;
    if number(&mut rest)? != base.len() {
        return None;
    }
    let size = number(&mut rest)?;
    if size > most {
        return None;
    }
    let mut made = Vec::with_capacity(size);
    while let Some((&op, after)) = rest.split_first() {
        rest = after;
        if op & 0x80 == 0 {
            // New bytes, as many as the number says; there are none of no bytes.
            if op == 0 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(usize::from(op))?;
            made.extend_from_slice(bytes);
            rest = after;
        } else {
            let mut part = |bits: std::ops::Range<u8>| {
                let mut value = 0;
                for (at, bit) in bits.enumerate() {
                    if op & (1 << bit) != 0 {
                        let (&byte, after) = rest.split_first()?;
                        value |= usize::from(byte) << (8 * at);
                        rest = after;
                    }
                }
                Some(value)
            };
            let from = part(0..4)?;
            let count = match part(4..7)? {
                0 => 0x10000,
                count => count,
            };
            made.extend_from_slice(base.get(from..from.checked_add(count)?)?);
        }
        if made.len() > size {
            return None;
        }
    }
    (made.len() == size).then_some(made)
}

/// Takes a number off: seven bits in each byte, the lowest first.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut value: usize = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = usize::from(byte & 0x7f);
        if bits.leading_zeros() < shift && bits != 0 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1 << 20;

    #[test]
    fn a_change_copies_and_adds() {
        // 5 bytes become 7: three from offset 1, then four new ones.
        let delta = [5, 7, 0x91, 1, 3, 4, b'w', b'x', b'y', b'z'];
        assert_eq!(apply(b"abcde", &delta, MOST), Some(b"bcdwxyz".to_vec()));
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let broken: &[&[u8]] = &[
            &[4, 3, 0x90, 3],          // for another base
            &[5, 3, 0x91, 3, 3],       // beyond the end of the base
            &[5, 2, 0x90, 3],          // longer than it says
            &[5, 9, 0x90, 3],          // shorter than it says
            &[5, 3, 0],                // no bytes
            &[5, 3, 4, 1],             // cut
            &[5, 3, 0x91],             // cut
            &[0xff; 12],               // no number
            &[5, 0xff, 0xff, 0xff, 1], // larger than allowed
        ];
        for delta in broken {
            assert_eq!(apply(b"abcde", delta, MOST), None, "{delta:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_change_or_none(base: Vec<u8>, delta: Vec<u8>) {
            let _ = apply(&base, &delta, MOST);
        }
    }
}
