//! Server-sent events: a stream of bytes, taken apart into events of bounded size.

use std::mem;

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) event: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) id: Option<String>,
    /// How long to wait before the stream is asked for again, in milliseconds.
    pub(crate) retry: Option<u64>,
}

/// Reads events as their bytes come in.
#[derive(Debug)]
pub(crate) struct EventReader {
    limit: usize,
    line: Vec<u8>,
    event: Event,
    /// Bytes that the event holds so far.
    held: usize,
    /// The last byte ended a line by `\r`: a `\n` right after it belongs to the same end.
    after_return: bool,
    /// No byte came yet: a byte order mark may stand here.
    at_start: bool,
}

/// An event that is larger than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the server is larger than {limit} bytes")]
pub(crate) struct EventTooLarge {
    limit: usize,
}

impl EventReader {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            event: Event::default(),
            held: 0,
            after_return: false,
            at_start: true,
        }
    }

    /// Takes more bytes, and returns the events that they end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, EventTooLarge> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if mem::take(&mut self.after_return) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            self.take(&rest[..end.unwrap_or(rest.len())])?;
            let Some(end) = end else { break };
            self.after_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_of_line());
        }
        Ok(events)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), EventTooLarge> {
        // A comment keeps a connection open and is not kept itself, however long it is.
        let comment = match self.line.first() {
            Some(first) => *first == b':',
            None => bytes.first() == Some(&b':'),
        };
        if comment {
            if self.line.is_empty() {
                self.line.push(b':');
            }
            return Ok(());
        }
        self.held += bytes.len();
        if self.held > self.limit {
            return Err(EventTooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = mem::take(&mut self.line);
        let line = match mem::take(&mut self.at_start) {
            true => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line),
            false => &line,
        };
        if line.is_empty() {
            self.held = 0;
            let event = mem::take(&mut self.event);
            return (event != Event::default()).then_some(event);
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.event = Some(value.to_owned()),
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.event.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" => self.event.retry = value.parse().ok().or(self.event.retry),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Event> {
        EventReader::new(1_000).push(text).expect("small enough")
    }

    #[test]
    fn events_are_read_in_all_their_forms() {
        let event = |data: &str| Event {
            data: Some(data.to_owned()),
            ..Event::default()
        };
        assert_eq!(read(b"data: a\n\ndata:b\n\n"), [event("a"), event("b")]);
        assert_eq!(
            read(b"data: a\r\ndata:  b\r\n\r\n"),
            [event("a\n b")],
            "two lines of data, and one space is taken off"
        );
        assert_eq!(read(b"data: a\r\rdata: b\r\r"), [event("a"), event("b")]);
        assert_eq!(
            read(b": hello\nid: 7\nevent: message\nretry: 30\ndata\n\n"),
            [Event {
                event: Some("message".to_owned()),
                id: Some("7".to_owned()),
                retry: Some(30),
                ..event("")
            }]
        );
        assert_eq!(read(b"\n\n\n: nothing\n\n"), []);
        assert_eq!(read(b"\xef\xbb\xbfdata: a\n\n"), [event("a")]);
        assert_eq!(read(b"data: a"), [], "an event that is not ended is none");
    }

    #[test]
    fn an_event_over_the_limit_is_refused_and_comments_are_not_counted() {
        let mut reader = EventReader::new(20);
        assert!(reader.push(b"data: 0123456789\n\n").is_ok());
        for _ in 0..100 {
            assert!(reader.push(b": still here\n").is_ok());
            assert!(reader.push(b":").is_ok());
            assert!(reader.push(b" and here\n").is_ok());
        }
        assert!(reader.push(b"data: 0123").is_ok());
        assert_eq!(
            reader.push(b"45678901234567890"),
            Err(EventTooLarge { limit: 20 })
        );
        let mut reader = EventReader::new(20);
        let many = b"data: 1\n".repeat(10);
        assert!(reader.push(&many).is_err(), "many short lines are as large");
    }

    proptest::proptest! {
        #[test]
        fn how_the_bytes_are_cut_changes_nothing(
            text in proptest::collection::vec(
                proptest::sample::select(vec!["data: a", "id: 1", ": c", "\r", "\n", "\r\n", "event: e", "x"]),
                0..40,
            ),
            cut in 1usize..7,
        ) {
            let text = text.concat();
            let whole = read(text.as_bytes());
            let mut reader = EventReader::new(1_000);
            let mut pieces = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                pieces.extend(reader.push(piece).expect("small enough"));
            }
            proptest::prop_assert_eq!(whole, pieces);
        }
    }
}
