//! Lines of a byte stream, bounded: a line that is too long is skipped, and never kept.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much of a line that is too long is kept, to tell what it was.
const HEAD: usize = 4 * 1024;
/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What comes next on a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// A line over the limit: its beginning and its length.
    TooLong {
        head: Vec<u8>,
        bytes: usize,
    },
    /// The stream ended; what stood after the last line's end.
    End(Vec<u8>),
}

/// Reads lines.
pub(super) struct Lines<R> {
    stream: R,
    limit: usize,
    buffer: Vec<u8>,
    /// How far the buffer was searched for a line's end.
    searched: usize,
    /// The beginning and the length so far of a line that is being skipped.
    skipping: Option<(Vec<u8>, usize)>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads lines of at most `limit` bytes.
    pub(super) fn new(stream: R, limit: usize) -> Self {
        Self {
            stream,
            limit,
            buffer: Vec::new(),
            searched: 0,
            skipping: None,
        }
    }

    /// Returns the next line without its end. Safe to be dropped and called again.
    pub(super) async fn next(&mut self) -> Line {
        loop {
            if let Some(line) = self.buffered() {
                return line;
            }
            let length = self.buffer.len();
            self.buffer.reserve(CHUNK);
            let mut chunk = (&mut self.stream).take(CHUNK as u64);
            match chunk.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => {
                    self.searched = 0;
                    self.skipping = None;
                    return Line::End(std::mem::take(&mut self.buffer));
                }
                Ok(_) => debug_assert!(self.buffer.len() > length),
            }
        }
    }

    /// Takes a line out of what was read.
    fn buffered(&mut self) -> Option<Line> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| at + self.searched);
        if let Some(end) = found {
            let rest = self.buffer.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.buffer, rest);
            self.searched = 0;
            line.pop();
            if let Some((head, bytes)) = self.skipping.take() {
                let bytes = bytes + line.len();
                return Some(Line::TooLong { head, bytes });
            }
            if line.len() > self.limit {
                let bytes = line.len();
                line.truncate(HEAD);
                return Some(Line::TooLong { head: line, bytes });
            }
            return Some(Line::Whole(line));
        }
        self.searched = self.buffer.len();
        if self.skipping.is_some() || self.buffer.len() > self.limit {
            let (_, bytes) = self.skipping.get_or_insert_with(|| {
                let head = self.buffer[..HEAD.min(self.buffer.len())].to_vec();
                (head, 0)
            });
            *bytes += self.buffer.len();
            self.buffer = Vec::new();
            self.searched = 0;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &'static [u8], limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(text, limit);
        let mut found = Vec::new();
        loop {
            let line = lines.next().await;
            let is_end = matches!(line, Line::End(_));
            found.push(line);
            if is_end {
                return found;
            }
        }
    }

    #[tokio::test]
    async fn lines_come_whole_and_the_torn_last_one_is_told_apart() {
        assert_eq!(
            all(b"one\n\ntwo\nthr", 10).await,
            [
                Line::Whole(b"one".to_vec()),
                Line::Whole(Vec::new()),
                Line::Whole(b"two".to_vec()),
                Line::End(b"thr".to_vec()),
            ]
        );
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_one_is_read() {
        let long: &'static [u8] = Box::leak(
            [vec![b'x'; 3 * CHUNK], b"\nok\n".to_vec()]
                .concat()
                .into_boxed_slice(),
        );
        let found = all(long, CHUNK).await;
        assert_eq!(
            found[1..],
            [Line::Whole(b"ok".to_vec()), Line::End(Vec::new())]
        );
        let Line::TooLong { head, bytes } = &found[0] else {
            panic!("{:?}", found[0]);
        };
        assert_eq!((head.len(), *bytes), (HEAD, 3 * CHUNK));
    }
}
