//! The look at a file: each mistake is named, and nothing that a file may hold does harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::fit::{Setup, Sizes, Window};
use super::*;
use crate::protocol::KvType;
use draft::{Draft, Value as Set, mutate};

#[path = "../../../../tests/support/gguf.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests of the program"
)]
mod draft;

fn check_bytes(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    match check(&path) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error
            .to_string()
            .replace(&path.display().to_string(), "FILE"),
    }
}

/// What is said of the small model after a change.
fn check_draft(change: impl FnOnce(Draft) -> Draft) -> String {
    check_bytes(&change(Draft::small()).bytes())
}

#[test]
fn each_wrong_file_is_named_for_what_it_is() {
    assert_eq!(
        check_bytes(b"<!DOCTYPE html><html><body>404"),
        "`FILE` is no GGUF file: it is a web page, so the download gave an error page; get the model again"
    );
    assert_eq!(
        check_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "`FILE` is no GGUF file: it is a Git LFS pointer, not the file itself; get the model again"
    );
    assert_eq!(
        check_bytes(b"GGUF\x03\0\0"),
        "`FILE` ends after 7 bytes; get the model again"
    );
    assert_eq!(
        check_bytes(b""),
        "`FILE` ends after 0 bytes; get the model again"
    );
    assert_eq!(
        check_bytes(b"GGUF\x01\0\0\0aaaaaaaabbbbbbbb"),
        "`FILE` is a GGUF file of version 1, and versions 2 and 3 can be read; convert it again"
    );
    assert_eq!(
        check_bytes(b"GGUF\0\0\0\x03aaaaaaaabbbbbbbb"),
        "`FILE` is written for big-endian processors; get the little-endian file"
    );
    assert_eq!(
        check_bytes(b"GGUF\x03\0\0\0aaaaaaaabbbbbbbb"),
        "`FILE` is damaged: it claims 7016996765293437281 tensors; get the model again"
    );
    assert_eq!(check_draft(|draft| draft), "fine");
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        check(&folder.path().join("none")),
        Err(FileError::Missing(_))
    ));
    assert!(matches!(check(folder.path()), Err(FileError::Folder(_))));
}

#[test]
fn a_file_that_ends_early_says_how_much_is_there() {
    let whole = Draft::small().bytes();
    // What is not backed by the file is the padding after the last tensor at most.
    assert_eq!(
        check_bytes(&whole[..whole.len() - 1]),
        format!(
            "`FILE` is cut short: {} of {} bytes; get the model again",
            whole.len() - 1,
            whole.len()
        )
    );
    for cut in (24..Draft::small().header().len()).step_by(97) {
        assert_eq!(
            check_bytes(&whole[..cut]),
            format!("`FILE` ends after {cut} bytes; get the model again")
        );
    }
}

#[test]
fn what_the_engine_would_die_of_is_refused_with_its_reason() {
    let text = |text: &str| Set::Text(text.to_owned());
    let mut tokens = Draft::small();
    if let Some((_, Set::Texts(tokens))) = tokens
        .values
        .iter_mut()
        .find(|(key, _)| key == "tokenizer.ggml.tokens")
    {
        tokens.push("twice".to_owned());
        tokens.push("twice".to_owned());
    }
    let mut bytes = Draft::small();
    if let Some((_, Set::Texts(tokens))) = bytes
        .values
        .iter_mut()
        .find(|(key, _)| key == "tokenizer.ggml.tokens")
    {
        tokens[5] = "<0xzz>".to_owned();
    }
    let small = Draft::small;
    for (draft, reason) in [
        (
            small().without("general.architecture"),
            "it does not say what architecture it is of",
        ),
        (
            small().set("llama.block_count", Set::U32(0)),
            "it claims 0 layers",
        ),
        (
            small().set("llama.block_count", Set::U32(513)),
            "it claims 513 layers",
        ),
        (
            small().set("llama.nextn_predict_layers", Set::U32(1)),
            "all its layers look ahead",
        ),
        (
            small().set("llama.rope.scaling.type", text("wild")),
            "its positions are scaled in no known way",
        ),
        (
            small().set("llama.attention.layer_norm_rms_epsilon", Set::F32(-1.0)),
            "its \"llama.attention.layer_norm_rms_epsilon\" is -1",
        ),
        (
            small().set("llama.rope.freq_base", Set::F32(f32::NAN)),
            "its \"llama.rope.freq_base\" is NaN",
        ),
        (
            small().set("llama.expert_count", Set::U32(8)),
            "its experts do not add up (0 used of 8, 0 groups of 0)",
        ),
        (
            small().set("llama.expert_used_count", Set::U32(2)),
            "its experts do not add up (2 used of 0, 0 groups of 0)",
        ),
        (
            small().set("tokenizer.ggml.model", text("none")),
            "it has no vocabulary",
        ),
        (
            small().without("tokenizer.ggml.tokens"),
            "it has no vocabulary",
        ),
        (bytes, "its vocabulary has tokens for 255 of the 256 bytes"),
        (tokens, "two tokens of its vocabulary are the same"),
        (
            small().set("general.alignment", Set::U32(8)),
            "its tensors are not aligned as they have to be",
        ),
    ] {
        assert_eq!(
            check_bytes(&draft.bytes()),
            format!("`FILE` is damaged: {reason}; get the model again")
        );
    }
    let doubled = check_draft(|mut draft| {
        draft.values.push(draft.values[2].clone());
        draft
    });
    assert!(
        doubled.contains("\"llama.block_count\" comes twice"),
        "{doubled}"
    );
    let doubled = check_draft(|mut draft| {
        draft.tensors[1].0 = draft.tensors[0].0.clone();
        draft
    });
    assert!(
        doubled.contains("\"token_embd.weight\" comes twice"),
        "{doubled}"
    );
}

#[test]
fn a_model_in_parts_wants_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let part = |number: u16| {
        Draft::small()
            .set("split.no", Set::U16(number))
            .set("split.count", Set::U16(2))
            .set("split.tensors.count", Set::I32s(vec![22]))
            .bytes()
    };
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("m-00001-of-00002.gguf"), part(0)).unwrap();
    std::fs::write(path("renamed.gguf"), part(0)).unwrap();
    let missing = check(&path("m-00001-of-00002.gguf")).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "part 2 of 2 is not there: `{}`; get it, too",
            path("m-00002-of-00002.gguf").display()
        )
    );
    assert!(matches!(
        check(&path("renamed.gguf")),
        Err(FileError::PartName { .. })
    ));
    std::fs::write(path("m-00002-of-00002.gguf"), part(1)).unwrap();
    let whole = check(&path("m-00001-of-00002.gguf")).unwrap();
    assert_eq!(whole.weights(), 2 * check_small().weights());
    assert!(matches!(
        check(&path("m-00002-of-00002.gguf")),
        Err(FileError::LaterPart { part: 2, .. })
    ));
}

fn check_small() -> Header {
    let bytes = Draft::small().bytes();
    read_header(bytes.as_slice(), bytes.len() as u64).unwrap()
}

/// Returns the number that `PROPTEST_RNG_SEED` has for this run: another one draws other cases here, too.
fn seed() -> u64 {
    std::env::var("PROPTEST_RNG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1)
}

/// Numbers below a bound, the same in each run.
fn dice(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn no_header_makes_the_look_fail_in_any_other_way_than_by_saying_so() {
    let mut seeds = vec![Draft::small().bytes()];
    if let Some(path) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") {
        // A real header, and nothing behind it: what is checked of the data is the length alone.
        let mut header = Vec::new();
        File::open(path)
            .unwrap()
            .take(4 << 20)
            .read_to_end(&mut header)
            .unwrap();
        seeds.push(header);
    }
    let mut random = dice(seed());
    let (mut passed, mut refused) = (0, 0);
    for seed in &seeds {
        // A long header is changed less often: reading it takes its time.
        let rounds = if seed.len() > 1 << 20 { 60 } else { 25_000 };
        let header = seed.len().min(10_000);
        for _ in 0..rounds {
            // What is changed is the beginning; the data count only by their length.
            let mut bytes = seed[..header].to_vec();
            mutate(&mut bytes, &mut random);
            bytes.extend(&seed[header..]);
            match read_header(bytes.as_slice(), bytes.len() as u64) {
                Ok(header) => {
                    if sound::problem(&header).is_none() {
                        add_up(&header);
                    }
                    passed += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(passed > 100 && refused > 10_000, "{passed} {refused}");
}

/// Computes what memory a model takes, in every way that it is asked for.
fn add_up(header: &Header) -> u64 {
    let sizes = Sizes::of(header);
    let mut most = 0;
    for kv in [KvType::F16, KvType::Q8_0] {
        let setup = Setup { batch: 512, kv };
        most = most.max(sizes.needs(u32::MAX, setup).total());
        let layers = sizes.device_layers(4096, setup, 1 << 40);
        sizes.on_device(layers, 4096, setup);
        // Either of them is an answer.
        let _ = sizes.window(Window::Usual(16_384), setup, Some(1 << 40));
    }
    most
}

#[test]
fn a_model_that_claims_to_be_without_end_is_larger_than_any_memory() {
    for key in [
        "llama.embedding_length",
        "llama.feed_forward_length",
        "llama.attention.head_count_kv",
        "llama.attention.key_length",
        "llama.expert_feed_forward_length",
        "llama.context_length",
    ] {
        for number in [u64::MAX, u64::MAX / 2, 1 << 60] {
            let draft = Draft::small().set(key, Set::U64(number));
            let header = draft.bytes();
            let header = read_header(header.as_slice(), header.len() as u64).unwrap();
            let total = add_up(&header);
            let is_counted = !matches!(
                key,
                "llama.context_length" | "llama.expert_feed_forward_length"
            );
            assert!(!is_counted || total > 1 << 50, "{key} {number}: {total}");
        }
    }
}
