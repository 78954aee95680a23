//! What a session and the keeper of its containers say to each other: pieces of a run's streams, and its beginning and
//! end. There is no word for a command line, an image or a variable.

use std::io::{self, Read, Write};

/// The most bytes of one piece.
pub(super) const PIECE: usize = 32 * 1024;

const HEAD: usize = 9;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the keeper: begin the run.
    Start,
    /// To the keeper: bytes for its input.
    Input,
    /// To the keeper: its input is at its end.
    InputEnd,
    /// To the keeper: end the run, however it takes it.
    End,
    /// From the keeper: bytes of its output.
    Output,
    /// From the keeper: bytes of its errors.
    Errors,
    /// From the keeper: it has ended, and how, in words.
    Ended,
}

const KINDS: [Kind; 7] = [
    Kind::Start,
    Kind::Input,
    Kind::InputEnd,
    Kind::End,
    Kind::Output,
    Kind::Errors,
    Kind::Ended,
];

/// A piece of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) run: u32,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// Writes a piece. At most [`PIECE`] bytes are one.
pub(super) fn write(to: &mut impl Write, run: u32, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let too_long = || io::Error::from(io::ErrorKind::InvalidInput);
    let length = u32::try_from(bytes.len()).map_err(|_| too_long())?;
    if bytes.len() > PIECE {
        return Err(too_long());
    }
    let kind = KINDS
        .iter()
        .position(|one| *one == kind)
        .and_then(|at| u8::try_from(at).ok())
        .ok_or_else(too_long)?;
    let mut whole = Vec::with_capacity(HEAD + bytes.len());
    whole.extend(run.to_le_bytes());
    whole.push(kind);
    whole.extend(length.to_le_bytes());
    whole.extend(bytes);
    to.write_all(&whole)?;
    to.flush()
}

/// Reads the next piece; `None` where the other side has ended.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Piece>> {
    let mut head = [0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match from.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [a, b, c, d, kind, e, f, g, h] = head;
    let (run, length) = (
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    );
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let kind = *KINDS.get(usize::from(kind)).ok_or_else(wrong)?;
    let length = usize::try_from(length).map_err(|_| wrong())?;
    if length > PIECE {
        return Err(wrong());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(Some(Piece { run, kind, bytes }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_said_is_heard(
            run: u32, kind in 0..KINDS.len(), bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let mut said = Vec::new();
            write(&mut said, run, KINDS[kind], &bytes).expect("a vector takes all");
            write(&mut said, 7, Kind::End, b"").expect("a vector takes all");
            let mut from = &said[..];
            prop_assert_eq!(read(&mut from).expect("a piece"), Some(Piece { run, kind: KINDS[kind], bytes }));
            prop_assert_eq!(read(&mut from).expect("a piece").map(|piece| piece.kind), Some(Kind::End));
            prop_assert_eq!(read(&mut from).expect("its end"), None);
        }

        #[test]
        fn no_bytes_at_all_make_it_take_more_than_a_piece(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut from = &bytes[..];
            while let Ok(Some(piece)) = read(&mut from) {
                prop_assert!(piece.bytes.len() <= PIECE);
            }
        }
    }

    #[test]
    fn a_piece_that_is_cut_is_an_error_and_no_end() {
        let mut said = Vec::new();
        write(&mut said, 1, Kind::Output, b"hello").expect("a vector takes all");
        for cut in 1..said.len() {
            assert!(read(&mut &said[..cut]).is_err(), "{cut}");
        }
    }
}
