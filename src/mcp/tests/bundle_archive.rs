//! Claims about archives: what is refused, and what is unpacked.

use super::*;

/// An entry of an archive that is written by hand, so that it can be as no library would write it.
pub(super) struct Part {
    name: Vec<u8>,
    bytes: Vec<u8>,
    mode: u32,
    /// What the archive says of the size.
    size: u32,
    method: u16,
    flags: u16,
}

fn part(name: &str, bytes: &[u8]) -> Part {
    Part {
        name: name.as_bytes().to_vec(),
        bytes: bytes.to_vec(),
        mode: 0o100_644,
        size: bytes.len() as u32,
        method: 0,
        flags: 1 << 11,
    }
}

/// Writes an archive.
fn archive(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for part in parts {
        let at = out.len() as u32;
        let mut common = Vec::new();
        for number in [20, part.flags, part.method, 0, 0x21] {
            common.extend(number.to_le_bytes());
        }
        for number in [crc(&part.bytes), part.bytes.len() as u32, part.size] {
            common.extend(number.to_le_bytes());
        }
        common.extend((part.name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(&part.name);
        out.extend(&part.bytes);
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 3]);
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((part.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(&part.name);
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((parts.len() as u16).to_le_bytes());
    out.extend((parts.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let each = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, each)
}

#[test]
fn an_archive_that_could_do_harm_is_refused_with_words_that_say_why() {
    let with = |change: &dyn Fn(&mut Part)| {
        let mut one = part("server/index.js", b"x");
        change(&mut one);
        vec![part("manifest.json", b"{}"), one]
    };
    let named = |name: &'static str| with(&move |one: &mut Part| one.name = name.into());
    let long = format!("{}x", "a/".repeat(60));
    let rows: Vec<(Vec<Part>, &str)> = vec![
        (named("../out.js"), "leads out"),
        (named("a/../../out.js"), "leads out"),
        (named("a/.."), "leads out"),
        (named("/etc/cron.d/x"), "root of the disk"),
        (named("..\\out.js"), "no name may have"),
        (named("C:/x"), "no name may have"),
        (named("a\0b"), "no name may have"),
        (named("a\u{1b}[2J"), "no name may have"),
        (named("a//b"), "empty part"),
        (named("./a"), "empty part"),
        (named(""), "empty part"),
        (
            with(&|one: &mut Part| one.name = long.clone().into()),
            "too long",
        ),
        (
            with(&|one: &mut Part| one.name = "x".repeat(300).into()),
            "too long",
        ),
        (
            with(&|one: &mut Part| one.name = b"a\xff".to_vec()),
            "no UTF-8",
        ),
        (with(&|one: &mut Part| one.mode = 0o120_777), "is a link"),
        (
            with(&|one: &mut Part| one.mode = 0o020_666),
            "neither a file nor a folder",
        ),
        (
            with(&|one: &mut Part| one.mode = 0o010_666),
            "neither a file nor a folder",
        ),
        (with(&|one: &mut Part| one.flags |= 1), "encrypted"),
        (with(&|one: &mut Part| one.size = 0xf000_0000), "MiB"),
        (named("manifest.json"), "twice"),
        (named("Manifest.JSON"), "size of letters"),
        (
            vec![part("lib/a.js", b"1"), part("LIB/b.js", b"2")],
            "size of letters",
        ),
        (
            vec![part("lib", b"1"), part("lib/b.js", b"2")],
            "a file and a folder",
        ),
        (
            vec![part("lib/b.js", b"1"), part("lib", b"2")],
            "a file and a folder",
        ),
    ];
    for (parts, words) in rows {
        let name = String::from_utf8_lossy(&parts[parts.len() - 1].name).into_owned();
        let refused = Archive::of(archive(&parts)).expect_err(&name).to_string();
        assert!(refused.contains(words), "{name}: {refused}");
        assert!(!refused.contains('\u{1b}'), "{refused}");
    }
    assert!(Archive::of(b"no archive".to_vec()).is_err());
    assert!(Archive::of(Vec::new()).is_err());
}

#[test]
fn files_that_share_their_bytes_are_refused() {
    // One body that many entries name: small as a file, without end when it is unpacked.
    let mut bytes = archive(&[part("a", &[7; 64]), part("b", &[7; 64])]);
    let places: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| bytes[*at..].starts_with(b"PK\x01\x02"))
        .collect();
    bytes[places[1] + 42..places[1] + 46].fill(0);
    let refused = Archive::of(bytes).map(|_| ()).expect_err("refused");
    assert!(
        matches!(refused, BundleError::Hostile(_) | BundleError::Archive(_)),
        "{refused}"
    );
}

#[test]
fn a_file_that_holds_more_than_it_says_is_not_unpacked() {
    use std::io::Write as _;
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("bomb", options).expect("begun");
    writer.write_all(&vec![0; 4 << 20]).expect("written");
    let mut bytes = writer.finish().expect("finished").into_inner();
    assert!(bytes.len() < 64 << 10, "it is small when it is packed");
    // It says of itself that it has 100 bytes.
    let at = (0..bytes.len() - 4)
        .find(|at| bytes[*at..].starts_with(b"PK\x01\x02"))
        .expect("a directory");
    bytes[at + 24..at + 28].copy_from_slice(&100u32.to_le_bytes());
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = Archive::of(bytes).and_then(|mut archive| archive.unpack(folder.path(), &[]));
    assert!(outcome.is_err(), "{outcome:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("there").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_unpacked_is_what_the_archive_holds_for_the_user_alone_and_read_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut program = part("bin/server", b"#!/bin/sh\n");
    program.mode = 0o100_755;
    let parts = [
        part("manifest.json", b"{}"),
        part("empty/", b""),
        part("src/deep/a.js", b"1"),
        part("plain", b"2"),
        program,
    ];
    let mut archive = Archive::of(archive(&parts)).expect("harmless");
    assert_eq!((archive.count(), archive.unpacked), (4, 14));
    let folder = tempfile::tempdir().expect("a folder");
    let first = archive
        .unpack(folder.path(), &["plain".to_owned()])
        .expect("unpacked");
    // A second time it takes the place of what was changed since.
    let changed = first.join("src/deep/a.js");
    std::fs::remove_file(&changed).expect("removed");
    std::fs::write(&changed, "evil").expect("written");
    let again = archive
        .unpack(folder.path(), &["plain".to_owned()])
        .expect("unpacked");
    assert_eq!(first, again);
    assert_eq!(std::fs::read(&changed).expect("there"), b"1");
    let mode = |name: &str| {
        let file = first.join(name).metadata().expect(name);
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode("bin/server"), 0o500);
    assert_eq!(mode("plain"), 0o500);
    assert_eq!(mode("src/deep/a.js"), 0o400);
    assert_eq!(mode("src/deep"), 0o700);
    assert!(first.join("empty").is_dir());
    assert!(first.ends_with(folder_name(&archive.sha256)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_lead_out(mut at in 0usize..400, to in 0u8.., name in "\\PC{0,20}") {
        let mut bytes = archive(&[part("manifest.json", b"{}"), part(&name, b"x")]);
        at %= bytes.len();
        bytes[at] = to;
        if let Ok(archive) = Archive::of(bytes) {
            for name in archive.files.keys() {
                proptest::prop_assert!(harmless(name).is_ok(), "{}", name);
            }
        }
    }
}
