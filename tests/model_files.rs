//! Model files that are wrong, damaged or made to harm, against the program: it says what is wrong with each, and
//! neither dies nor takes memory for what is not there.

#![expect(
    clippy::disallowed_methods,
    reason = "tests write files and start the program"
)]
#![expect(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::process::{Command, Output};

use support::{Draft, Value, mutate};
use walden::model::llama::{LlamaOptions, examine};

#[path = "support/gguf.rs"]
mod support;

/// Counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: all is left to the system's allocator; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.with(|held| {
            held.set(held.get() + layout.size().cast_signed());
            MOST.with(|most| most.set(most.get().max(held.get())));
        });
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get() - layout.size().cast_signed()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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

fn options(path: &Path) -> LlamaOptions {
    LlamaOptions {
        context: Some(256),
        ..LlamaOptions::new(path)
    }
}

/// Lets the program load a file and write a token with it.
fn load(path: &Path, home: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_walden"))
        .args(["doctor", "--load", "--context", "256", "--threads", "1"])
        .arg("--model")
        .arg(path)
        .env_clear()
        .env("HOME", home)
        .env("WALDEN_STATE", home.join("state"))
        .env("GGML_NO_BACKTRACE", "1")
        .output()
        .unwrap()
}

#[test]
fn a_made_up_model_loads_and_writes() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("nonsense.gguf");
    std::fs::write(&path, Draft::small().bytes()).unwrap();
    let output = load(&path, home.path());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("it answers"), "{text}");
}

/// Files that the look takes for sound are given to the program, which may refuse them, too, but not die.
struct Trial {
    home: tempfile::TempDir,
    tried: usize,
    loaded: usize,
    died: Vec<String>,
}

impl Trial {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            tried: 0,
            loaded: 0,
            died: Vec::new(),
        }
    }

    fn give(&mut self, bytes: &[u8], what: &str) {
        let path = self.home.path().join("changed.gguf");
        std::fs::write(&path, bytes).unwrap();
        if examine(&options(&path)).is_err() {
            return;
        }
        self.tried += 1;
        let output = load(&path, self.home.path());
        match output.status.code() {
            Some(0) => self.loaded += 1,
            Some(1) => {}
            _ => self.died.push(format!(
                "{what} ({}):\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    #[track_caller]
    fn ended_well(&self) {
        assert!(
            self.died.is_empty(),
            "the program died of {} of {} files:\n{}",
            self.died.len(),
            self.tried,
            self.died.join("\n")
        );
        assert!(self.loaded > 0, "none of {} was loaded", self.tried);
    }
}

#[test]
fn what_the_look_takes_for_sound_does_not_kill_the_engine() {
    let whole = Draft::small().bytes();
    let header = Draft::small().header().len();
    let rounds: usize = std::env::var("WALDEN_TEST_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(120);
    let mut random = dice(7 * seed());
    let mut trial = Trial::new();
    while trial.tried < rounds {
        let mut bytes = whole[..header].to_vec();
        mutate(&mut bytes, &mut random);
        let what = format!("file {}", trial.tried);
        bytes.extend(&whole[header..]);
        trial.give(&bytes, &what);
    }
    trial.ended_well();
}

#[test]
fn no_number_of_the_metadata_kills_the_engine() {
    let mut trial = Trial::new();
    let small = Draft::small();
    for (key, value) in &small.values {
        let values: Vec<Value> = match value {
            Value::U32(_) => [0, 1, 3, 31, 33, 65_535, 1 << 31, u32::MAX]
                .map(Value::U32)
                .to_vec(),
            Value::F32(_) => [0.0, 1e30, 1e-45].map(Value::F32).to_vec(),
            Value::Text(_) => ["", "gpt2", "qwen2", "\u{0}"]
                .map(|text| Value::Text(text.to_owned()))
                .to_vec(),
            _ => Vec::new(),
        };
        for value in values {
            let what = format!("{key} {value:?}");
            let draft = Draft::small().set(key, value);
            trial.give(&draft.bytes(), &what);
        }
        trial.give(&Draft::small().without(key).bytes(), &format!("no {key}"));
    }
    for (key, value) in [
        ("llama.embedding_length", Value::U64(u64::MAX)),
        ("llama.context_length", Value::U64(1 << 60)),
        ("llama.attention.key_length", Value::U32(0)),
        ("llama.attention.key_length", Value::U32(16)),
        ("llama.attention.value_length", Value::U32(7)),
        ("llama.rope.freq_base", Value::F32(0.0)),
        ("llama.rope.scaling.factor", Value::F32(0.0)),
        ("llama.attention.sliding_window", Value::U32(1)),
        ("llama.vocab_size", Value::U32(3)),
        ("llama.attention.causal", Value::U32(0)),
        ("llama.pooling_type", Value::U32(99)),
        ("tokenizer.ggml.eot_token_id", Value::U32(100_000)),
        ("tokenizer.chat_template", Value::Text("{{".to_owned())),
        ("split.count", Value::U16(1)),
        ("split.no", Value::U16(7)),
        ("llama.attention.head_count_kv", Value::I32s(vec![-1])),
        ("llama.attention.head_count_kv", Value::I32s(vec![])),
        ("llama.attention.head_count", Value::I32s(vec![4, 4])),
    ] {
        let what = format!("{key} {value:?}");
        trial.give(&Draft::small().set(key, value).bytes(), &what);
    }
    trial.ended_well();
}

#[test]
fn no_type_and_no_shape_of_a_tensor_kills_the_engine() {
    let mut trial = Trial::new();
    for at in 0..Draft::small().tensors.len() {
        // Half floats, both kinds; blocks of 32 bytes; whole numbers.
        for (kind, block, size) in [(1, 1, 2), (30, 1, 2), (8, 32, 34), (26, 1, 4)] {
            let mut draft = Draft::small();
            let (name, shape, old, data) = &mut draft.tensors[at];
            let count: u64 = shape.iter().product();
            *old = kind;
            data.resize((count / block * size) as usize, 0);
            let what = format!("{name} of type {kind}");
            trial.give(&draft.bytes(), &what);
        }
        let mut turned = Draft::small();
        turned.tensors[at].1.reverse();
        trial.give(&turned.bytes(), &format!("tensor {at} turned"));
        let mut flat = Draft::small();
        flat.tensors[at].1 = vec![flat.tensors[at].1.iter().product()];
        trial.give(&flat.bytes(), &format!("tensor {at} flat"));
        let mut gone = Draft::small();
        gone.tensors.remove(at);
        trial.give(&gone.bytes(), &format!("tensor {at} gone"));
    }
    trial.ended_well();
}

#[test]
fn a_header_gets_no_memory_for_what_is_not_there() {
    const LIMIT: isize = 64 << 20;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("changed.gguf");
    // What is held at most while a file is looked at.
    let look = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let before = HELD.with(Cell::get);
        MOST.with(|most| most.set(before));
        let _ = examine(&options(&path));
        MOST.with(Cell::get) - before
    };
    let whole = Draft::small().bytes();
    let header = Draft::small().header().len();
    let mut random = dice(3 * seed());
    let mut most = 0;
    for _ in 0..3000 {
        let mut bytes = whole[..header].to_vec();
        mutate(&mut bytes, &mut random);
        bytes.extend(&whole[header..]);
        most = most.max(look(&bytes));
    }
    assert!(most < 1 << 20, "{most} bytes for a file of {}", whole.len());
    // What the file does back is held within limits: a vocabulary of a million tokens, a text of 100 MB.
    let tokens = (0..1 << 20).map(|n| format!("{n:x}")).collect();
    let many = Draft::small().set("tokenizer.ggml.tokens", Value::Texts(tokens));
    let held = look(&many.bytes());
    assert!(held < LIMIT, "{held}");
    let long = Draft::small().set("general.name", Value::Text("x".repeat(100 << 20)));
    let held = look(&long.bytes());
    assert!(held < LIMIT, "{held}");
}

#[test]
fn a_file_that_is_cut_short_is_refused_before_it_is_mapped() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("short.gguf");
    let whole = Draft::small().bytes();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let output = load(&path, home.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is cut short"), "{text}");
}
