//! Reading files whole, in part, several at once, and as media.

use rmcp::model::{ContentBlock, ResourceContents};

use super::super::{Answer, Said, stopped};
use super::said::Asked;
use super::{Call, base64, said};
use crate::servers::limits::filesystem::full as limits;
use crate::workspace::{self, Part, RootsError};

/// Reads a file, or its first or last lines.
pub(super) fn text(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let (head, tail) = (call.arguments.count("head")?, call.arguments.count("tail")?);
    let part = match (head, tail) {
        (Some(_), Some(_)) => {
            return Err("Cannot specify both head and tail parameters simultaneously".to_owned());
        }
        (Some(lines), None) => Some(Part::First(lines)),
        (None, Some(lines)) => Some(Part::Last(lines)),
        (None, None) => None,
    };
    let Some(part) = part else {
        return whole(call, &asked, limits::TEXT).map(said::text);
    };
    let bytes = call
        .roots
        .read_part(&asked.path, part, limits::TEXT)
        .map_err(|error| match error {
            RootsError::TooLarge { .. } => format!(
                "those lines of {} have more than {} bytes, the most that one call returns; ask for fewer",
                asked.path,
                limits::TEXT
            ),
            other => call.explain(&asked, "open", other),
        })?;
    decoded(&asked, &bytes).map(said::text)
}

/// Reads a whole text file of at most `limit` bytes.
fn whole(call: &Call<'_>, asked: &Asked<'_>, limit: usize) -> Result<String, String> {
    let too_large = |size: u64| {
        format!(
            "{} has {size} bytes, more than the {limit} that one call returns; read part of it with head or tail",
            asked.path
        )
    };
    let file = call.roots.read(&asked.path).map_err(|error| match error {
        RootsError::TooLarge { size, .. } => too_large(size),
        other => call.explain(asked, "open", other),
    })?;
    if file.bytes.len() > limit {
        return Err(too_large(file.bytes.len() as u64));
    }
    decoded(asked, &file.bytes)
}

fn decoded(asked: &Asked<'_>, bytes: &[u8]) -> Result<String, String> {
    match workspace::text_of(bytes) {
        Some(text) => Ok(text.text.into_owned()),
        None => Err(format!(
            "{} is a binary file; use read_media_file",
            asked.path
        )),
    }
}

/// Reads several files. What fails is told in its place.
pub(super) fn several(call: &Call<'_>) -> Answer {
    let mut parts: Vec<String> = Vec::new();
    let mut room = limits::TEXT;
    for path in call.arguments.texts("paths", 1)? {
        stopped(call.cancel)?;
        let read = call.asked(path).and_then(|asked| {
            if room == 0 {
                return Err("the result is full; read it in another call".to_owned());
            }
            whole(call, &asked, limits::TEXT)
        });
        let part = match read {
            Ok(text) if text.len() > room => {
                room = 0;
                format!("{path}: Error - the result is full; read it in another call")
            }
            Ok(text) => {
                room -= text.len();
                format!("{path}:\n{text}\n")
            }
            Err(error) => format!("{path}: Error - {error}"),
        };
        parts.push(part);
    }
    Ok(said::text(parts.join("\n---\n")))
}

/// Reads a file as base64: an image or a sound as such, all else as a resource.
pub(super) fn media(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let too_large = |size: u64| {
        format!(
            "{} has {size} bytes, more than the {} that are sent as media",
            asked.path,
            limits::MEDIA
        )
    };
    let file = call.roots.read(&asked.path).map_err(|error| match error {
        RootsError::TooLarge { size, .. } => too_large(size),
        other => call.explain(&asked, "open", other),
    })?;
    if file.bytes.len() > limits::MEDIA {
        return Err(too_large(file.bytes.len() as u64));
    }
    let data = base64::encode(&file.bytes);
    let mime = mime_type(&asked.path);
    let block = match mime.split('/').next() {
        Some("image") => ContentBlock::image(data, mime),
        Some("audio") => ContentBlock::audio(data, mime),
        _ => {
            let uri = format!("file://{}", escaped(&asked.path));
            ContentBlock::resource(ResourceContents::blob(data, uri).with_mime_type(mime))
        }
    };
    Ok(Said::from(block))
}

fn mime_type(path: &str) -> &'static str {
    let ending = path.rsplit('.').next().unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        _ => "application/octet-stream",
    }
}

/// Writes a path as it may stand in a URI.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
