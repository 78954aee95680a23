//! What goes over the pipes: frames, each of one stream.
//!
//! A frame is a kind (one byte), a stream (four bytes, big-endian), a length (four bytes) and so many bytes.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The most bytes of a frame.
pub(super) const LARGEST: usize = 64 * 1024;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
}

/// Whether the bytes are encrypted on their way. The broker does it: what it passes on is plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    Plain,
    Encrypted,
}

/// What is said of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// To the broker: connect this stream.
    Open(Target),
    /// From the broker: it is connected.
    Opened,
    /// From the broker: it is not, and why.
    Refused(String),
    Data(Vec<u8>),
    /// Nothing more comes from this side.
    Shut,
    /// Nobody is there any more on this side.
    Close,
    /// So many bytes were taken; as many more may come.
    Credit(u32),
}

impl Frame {
    fn parts(&self) -> io::Result<(u8, Vec<u8>)> {
        Ok(match self {
            Self::Open(target) => (1, serde_json::to_vec(target)?),
            Self::Opened => (2, Vec::new()),
            Self::Refused(reason) => (3, reason.clone().into_bytes()),
            Self::Data(bytes) => (4, bytes.clone()),
            Self::Shut => (5, Vec::new()),
            Self::Close => (6, Vec::new()),
            Self::Credit(bytes) => (7, bytes.to_be_bytes().to_vec()),
        })
    }

    fn from_parts(kind: u8, bytes: Vec<u8>) -> io::Result<Self> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a frame is broken");
        Ok(match kind {
            1 => Self::Open(serde_json::from_slice(&bytes)?),
            2 => Self::Opened,
            3 => Self::Refused(String::from_utf8_lossy(&bytes).into_owned()),
            4 => Self::Data(bytes),
            5 => Self::Shut,
            6 => Self::Close,
            7 => Self::Credit(u32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?)),
            _ => return Err(wrong()),
        })
    }
}

/// Writes a frame.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    to: &mut W,
    stream: u32,
    frame: &Frame,
) -> io::Result<()> {
    let (kind, mut bytes) = frame.parts()?;
    bytes.truncate(LARGEST);
    let mut whole = Vec::with_capacity(9 + bytes.len());
    whole.push(kind);
    whole.extend_from_slice(&stream.to_be_bytes());
    whole.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    whole.append(&mut bytes);
    to.write_all(&whole).await?;
    to.flush().await
}

/// Reads the next frame; `None` at the end.
pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Option<(u32, Frame)>> {
    let mut head = [0; 9];
    match from.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let [kind, a, b, c, d, e, f, g, h] = head;
    let length = u32::from_be_bytes([e, f, g, h]) as usize;
    if length > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame is too large",
        ));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    let frame = Frame::from_parts(kind, bytes)?;
    Ok(Some((u32::from_be_bytes([a, b, c, d]), frame)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_comes_out_as_it_went_in() {
        let target = Target {
            host: "a".to_owned(),
            port: 1,
            tls: Tls::Encrypted,
        };
        for frame in [
            Frame::Open(target),
            Frame::Opened,
            Frame::Refused("no".to_owned()),
            Frame::Data(vec![0; LARGEST]),
            Frame::Shut,
            Frame::Close,
            Frame::Credit(7),
        ] {
            let mut bytes = Vec::new();
            write(&mut bytes, 3, &frame).await.expect("written");
            let mut from = bytes.as_slice();
            assert_eq!(read(&mut from).await.expect("read"), Some((3, frame)));
            assert_eq!(read(&mut from).await.expect("the end"), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_a_frame_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let mut from = bytes.as_slice();
                while let Ok(Some(_)) = read(&mut from).await {}
            });
        }
    }
}
