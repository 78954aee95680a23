//! llama.cpp behind safe types: the weights, the vocabulary, and a context whose running decode can be stopped.
//!
//! The context is owned here, not through `llama-cpp-2`, because that crate keeps the pointer that
//! `llama_set_abort_callback` needs to itself.

#![expect(unsafe_code, reason = "llama.cpp is a C library")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use super::log;
use super::memory::{Sequence, sequences};
use crate::protocol::{KvType, WeightLayout};

/// A token of the model's vocabulary.
pub(super) type Token = sys::llama_token;

/// Loaded weights with their vocabulary.
pub(super) struct Weights {
    model: NonNull<sys::llama_model>,
    vocab: NonNull<sys::llama_vocab>,
}

impl Weights {
    /// Loads a GGUF file. `progress` hears the share that is loaded and stops the load by returning `false`.
    pub(super) fn load(
        path: &Path,
        gpu_layers: Option<u32>,
        layout: WeightLayout,
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self, String> {
        unsafe extern "C" fn report(share: f32, data: *mut c_void) -> bool {
            // SAFETY: `data` is the `&mut &mut dyn FnMut` below, which outlives the load, and llama.cpp calls from
            // the loading thread alone.
            let progress = unsafe { &mut *data.cast::<&mut dyn FnMut(f32) -> bool>() };
            progress(share)
        }

        let c_path = path_to_c(path)?;
        let mut progress: &mut dyn FnMut(f32) -> bool = progress;
        log::forget_trouble();
        // SAFETY: the parameters are llama.cpp's defaults with plain values changed; path and progress outlive the
        // call. The result is owned by `Self`.
        let model = unsafe {
            let mut params = sys::llama_model_default_params();
            if let Some(layers) = gpu_layers {
                params.n_gpu_layers = i32::try_from(layers).unwrap_or(i32::MAX);
            }
            params.use_extra_bufts = layout == WeightLayout::Packed;
            params.progress_callback = Some(report);
            params.progress_callback_user_data = (&raw mut progress).cast();
            sys::llama_model_load_from_file(c_path.as_ptr(), params)
        };
        let Some(model) = NonNull::new(model) else {
            return Err(log::last_trouble().unwrap_or_else(|| "llama.cpp gave no reason".into()));
        };
        // SAFETY: the model is valid; its vocabulary lives as long as the model.
        let vocab = unsafe { sys::llama_model_get_vocab(model.as_ptr()) };
        let Some(vocab) = NonNull::new(vocab.cast_mut()) else {
            // SAFETY: the model is valid and freed once.
            unsafe { sys::llama_model_free(model.as_ptr()) };
            return Err("the file has no vocabulary".into());
        };
        Ok(Self { model, vocab })
    }

    /// Returns a text value of the file's metadata.
    pub(super) fn metadata(&self, key: &CStr) -> Option<String> {
        let mut buffer = vec![0u8; 512];
        // SAFETY: the buffer is as long as it is said to be.
        let length = unsafe {
            sys::llama_model_meta_val_str(
                self.model.as_ptr(),
                key.as_ptr(),
                buffer.as_mut_ptr().cast::<c_char>(),
                buffer.len(),
            )
        };
        buffer.truncate(usize::try_from(length).ok()?.min(buffer.len() - 1));
        Some(String::from_utf8_lossy(&buffer).into_owned())
    }

    /// Returns the source of the model's own chat template.
    pub(super) fn chat_template(&self) -> Option<String> {
        // SAFETY: a null name asks for the default template; the text lives as long as the model and is copied.
        let template =
            unsafe { sys::llama_model_chat_template(self.model.as_ptr(), std::ptr::null()) };
        if template.is_null() {
            return None;
        }
        // SAFETY: llama.cpp returns the pointer of a C string here.
        let template = unsafe { CStr::from_ptr(template) };
        Some(template.to_string_lossy().into_owned())
    }

    /// Returns the number of parameters.
    pub(super) fn parameters(&self) -> u64 {
        // SAFETY: the model is valid.
        unsafe { sys::llama_model_n_params(self.model.as_ptr()) }
    }

    /// Tells how far what is evaluated can be taken back.
    fn cuts(&self, options: ContextOptions) -> Cuts {
        // SAFETY: the model is valid.
        let (keeps_state, window) = unsafe {
            (
                sys::llama_model_is_recurrent(self.model.as_ptr())
                    || sys::llama_model_is_hybrid(self.model.as_ptr()),
                sys::llama_model_n_swa(self.model.as_ptr()),
            )
        };
        if keeps_state || options.refuse_cuts {
            return Cuts::Never;
        }
        match usize::try_from(window) {
            Ok(window) if window > 0 && !options.whole_window => Cuts::Within(window),
            _ => Cuts::Anywhere,
        }
    }

    /// Tells whether the model has an encoder, or no decoder: it cannot be talked to then.
    pub(super) fn is_chat_model(&self) -> bool {
        // SAFETY: the model is valid.
        unsafe {
            sys::llama_model_has_decoder(self.model.as_ptr())
                && !sys::llama_model_has_encoder(self.model.as_ptr())
        }
    }

    /// Returns the number of tokens in the vocabulary.
    pub(super) fn vocabulary(&self) -> usize {
        // SAFETY: the vocabulary is valid.
        let count = unsafe { sys::llama_vocab_n_tokens(self.vocab.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Tells whether a token ends a generation.
    pub(super) fn ends_generation(&self, token: Token) -> bool {
        // SAFETY: the vocabulary is valid, and llama.cpp looks the token up in a set.
        unsafe { sys::llama_vocab_is_eog(self.vocab.as_ptr(), token) }
    }

    /// Tells whether a token steers the model and is no text: it may come from a template only.
    pub(super) fn is_control(&self, token: Token) -> bool {
        // SAFETY: the caller's tokens come from this vocabulary; llama.cpp checks the bounds.
        unsafe { sys::llama_vocab_is_control(self.vocab.as_ptr(), token) }
    }

    /// Returns the token that a prompt must begin with, if the model wants one.
    pub(super) fn needed_bos(&self) -> Option<Token> {
        // SAFETY: the vocabulary is valid.
        unsafe { sys::llama_vocab_get_add_bos(self.vocab.as_ptr()) }
            .then(|| self.bos())
            .flatten()
    }

    /// Returns the token that begins a text.
    pub(super) fn bos(&self) -> Option<Token> {
        // SAFETY: the vocabulary is valid.
        Some(unsafe { sys::llama_vocab_bos(self.vocab.as_ptr()) }).filter(|token| *token >= 0)
    }

    /// Returns the token that ends a turn, or else a text.
    pub(super) fn end(&self) -> Option<Token> {
        // SAFETY: the vocabulary is valid.
        let (eot, eos) = unsafe {
            (
                sys::llama_vocab_eot(self.vocab.as_ptr()),
                sys::llama_vocab_eos(self.vocab.as_ptr()),
            )
        };
        Some(if eot >= 0 { eot } else { eos }).filter(|token| *token >= 0)
    }

    /// Returns the token that ends a text.
    pub(super) fn eos(&self) -> Option<Token> {
        // SAFETY: the vocabulary is valid.
        Some(unsafe { sys::llama_vocab_eos(self.vocab.as_ptr()) }).filter(|token| *token >= 0)
    }

    /// Tells whether the tokenizer puts a space before a text. Most SentencePiece vocabularies do; Gemma's do not.
    pub(super) fn prefixes_space(&self) -> bool {
        self.tokenize("a")
            .first()
            .is_some_and(|token| self.piece(*token).starts_with(b" "))
    }

    /// Returns the bytes of a token. Control tokens have bytes too: what the template calls them.
    pub(super) fn piece(&self, token: Token) -> Vec<u8> {
        let mut buffer = vec![0u8; 64];
        loop {
            let room = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
            // SAFETY: the buffer is as long as it is said to be.
            let length = unsafe {
                sys::llama_token_to_piece(
                    self.vocab.as_ptr(),
                    token,
                    buffer.as_mut_ptr().cast::<c_char>(),
                    room,
                    0,
                    true,
                )
            };
            match usize::try_from(length) {
                Ok(length) => {
                    buffer.truncate(length);
                    return buffer;
                }
                // A negative length is the room that it takes.
                Err(_) => buffer.resize(length.unsigned_abs() as usize, 0),
            }
        }
    }

    /// Tokenises a text in which nothing is a control token, whatever it looks like.
    pub(super) fn tokenize(&self, text: &str) -> Vec<Token> {
        let Ok(length) = i32::try_from(text.len()) else {
            return Vec::new();
        };
        // One token for each byte, and one for a space that may be put before it.
        let mut tokens: Vec<Token> = vec![0; text.len() + 2];
        loop {
            let room = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
            // SAFETY: text and buffer are as long as they are said to be.
            let count = unsafe {
                sys::llama_tokenize(
                    self.vocab.as_ptr(),
                    text.as_ptr().cast::<c_char>(),
                    length,
                    tokens.as_mut_ptr(),
                    room,
                    false,
                    false,
                )
            };
            match usize::try_from(count) {
                Ok(count) => {
                    tokens.truncate(count);
                    return tokens;
                }
                Err(_) => tokens.resize(count.unsigned_abs() as usize, 0),
            }
        }
    }
}

impl Drop for Weights {
    fn drop(&mut self) {
        // SAFETY: the model is freed once; a `Context` borrows it and is gone.
        unsafe { sys::llama_model_free(self.model.as_ptr()) }
    }
}

/// How a context is set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContextOptions {
    pub(super) context: u32,
    /// How many tokens are evaluated in one call, and in one piece.
    pub(super) batch: u32,
    /// Threads for one token at a time, and for batches.
    pub(super) threads: usize,
    pub(super) batch_threads: usize,
    /// What the keys and values are kept as.
    pub(super) kv: KvType,
    /// Keeps all of a sliding window's past, so that going back to any place is possible.
    pub(super) whole_window: bool,
    /// Going back in part is refused, as it is by models with a recurrent state.
    pub(super) refuse_cuts: bool,
}

/// Flash attention is faster on processors at every depth (95 against 87 tokens a second of a prompt of 2,048), and
/// values can be kept in eight bits only with it. Where a device lacks it, llama.cpp does without by itself, but not
/// for such values.
fn flash_attention(kv: KvType) -> sys::llama_flash_attn_type {
    match kv {
        KvType::F16 => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
        KvType::Q8_0 => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
    }
}

fn native_type(kv: KvType) -> sys::ggml_type {
    match kv {
        KvType::F16 => sys::GGML_TYPE_F16,
        KvType::Q8_0 => sys::GGML_TYPE_Q8_0,
    }
}

/// What became of tokens that were to be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    Done,
    /// There are not enough free cells; everything is as it was.
    NoRoom,
}

/// Why tokens were not evaluated.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// `stop` said so.
    Stopped,
    /// llama.cpp reported an error.
    Failed(String),
}

/// What is evaluated: the KV cache, and the logits of the last token.
pub(super) struct Context<'w> {
    weights: &'w Weights,
    pub(super) context: NonNull<sys::llama_context>,
    pub(super) cuts: Cuts,
    /// Workers that outlive a graph: without them ggml starts and ends threads for every token.
    pools: Vec<NonNull<sys::ggml_threadpool>>,
    batch: usize,
    /// How often tokens were evaluated, for measuring.
    pub(super) evaluations: u64,
}

impl<'w> Context<'w> {
    /// Makes a context for loaded weights.
    pub(super) fn new(weights: &'w Weights, options: ContextOptions) -> Result<Self, String> {
        log::forget_trouble();
        // SAFETY: the parameters are llama.cpp's defaults with plain values changed; the model outlives the context.
        let context = unsafe {
            let mut params = sys::llama_context_default_params();
            params.n_ctx = options.context;
            params.n_batch = options.batch;
            params.n_ubatch = options.batch;
            params.n_seq_max = sequences(weights.cuts(options));
            // One buffer for all sequences: what they share is kept once, and none has a fixed part of the window.
            params.kv_unified = true;
            params.type_k = native_type(options.kv);
            params.type_v = native_type(options.kv);
            params.swa_full = options.whole_window;
            params.n_threads = i32::try_from(options.threads).unwrap_or(1);
            params.n_threads_batch = i32::try_from(options.batch_threads).unwrap_or(1);
            params.flash_attn_type = flash_attention(options.kv);
            params.no_perf = true;
            sys::llama_init_from_model(weights.model.as_ptr(), params)
        };
        let Some(context) = NonNull::new(context) else {
            return Err(log::last_trouble()
                .unwrap_or_else(|| "there is not enough memory for its context window".into()));
        };
        let mut this = Self {
            weights,
            context,
            cuts: weights.cuts(options),
            pools: Vec::new(),
            batch: options.batch as usize,
            evaluations: 0,
        };
        this.attach_threads(options);
        Ok(this)
    }

    fn attach_threads(&mut self, options: ContextOptions) {
        let mut pool = |threads: usize| {
            let threads = i32::try_from(threads).unwrap_or(1);
            // SAFETY: the parameters are ggml's defaults; the pool is kept and freed after the context.
            let pool = unsafe {
                let mut params = sys::ggml_threadpool_params_default(threads);
                params.paused = true;
                NonNull::new(sys::ggml_threadpool_new(&raw mut params))
            };
            self.pools.extend(pool);
            pool
        };
        let Some(one) = pool(options.threads) else {
            return;
        };
        let many = if options.batch_threads == options.threads {
            Some(one)
        } else {
            pool(options.batch_threads)
        };
        // SAFETY: the pools outlive the context's use of them: `Drop` frees the context first.
        unsafe {
            sys::llama_attach_threadpool(
                self.context.as_ptr(),
                one.as_ptr(),
                many.unwrap_or(one).as_ptr(),
            );
        }
    }

    /// Lets the workers sleep: between generations the engine must not cost a wake-up.
    pub(super) fn rest(&mut self) {
        for pool in &self.pools {
            // SAFETY: the pool is valid and no graph is running, since running one takes `&mut self`.
            unsafe { sys::ggml_threadpool_pause(pool.as_ptr()) }
        }
    }

    /// Wakes the workers that [`Context::rest`] put to sleep.
    pub(super) fn wake(&mut self) {
        for pool in &self.pools {
            // SAFETY: the pool is valid.
            unsafe { sys::ggml_threadpool_resume(pool.as_ptr()) }
        }
    }

    /// Returns the weights that this context evaluates.
    pub(super) fn weights(&self) -> &'w Weights {
        self.weights
    }

    /// Returns the window in tokens, as llama.cpp made it.
    pub(super) fn window(&self) -> usize {
        // SAFETY: the context is valid.
        unsafe { sys::llama_n_ctx_seq(self.context.as_ptr()) as usize }
    }

    /// Returns how many tokens may be evaluated in one call.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Evaluates tokens of a sequence from a position on, with the logits of the last ones if asked for. `stop` is
    /// polled between the nodes of the graph. After an error, what was to be evaluated may be there in part.
    pub(super) fn decode(
        &mut self,
        sequence: Sequence,
        tokens: &[Token],
        position: usize,
        logits: Logits,
        stop: &dyn Fn() -> bool,
    ) -> Result<Decoded, DecodeError> {
        let from = match logits {
            Logits::None => tokens.len(),
            Logits::OfLast(last) => tokens.len().saturating_sub(last),
        };
        let places = tokens.iter().enumerate().map(|(index, token)| Place {
            sequence,
            position: position + index,
            token: *token,
            wanted: index >= from,
        });
        self.decode_at(&places.collect::<Vec<_>>(), stop)
    }

    /// Evaluates tokens of any sequences, each after what its sequence holds before its position.
    pub(super) fn decode_at(
        &mut self,
        places: &[Place],
        stop: &dyn Fn() -> bool,
    ) -> Result<Decoded, DecodeError> {
        unsafe extern "C" fn poll(data: *mut c_void) -> bool {
            // SAFETY: `data` is the `&&dyn Fn` below, and it is taken back before `decode_at` returns.
            let stop = unsafe { &*data.cast::<&dyn Fn() -> bool>() };
            stop()
        }

        debug_assert!(places.len() <= self.batch);
        #[cfg(test)]
        if let Some(code) = faults::of_decode() {
            return Err(DecodeError::Failed(format!("code {code}")));
        }
        let count = places.len();
        if count == 0 {
            return Ok(Decoded::Done);
        }
        self.evaluations += 1;
        let position = |position| sys::llama_pos::try_from(position).unwrap_or(sys::llama_pos::MAX);
        let mut token: Vec<Token> = places.iter().map(|place| place.token).collect();
        let mut positions: Vec<sys::llama_pos> = places
            .iter()
            .map(|place| position(place.position))
            .collect();
        let mut ids: Vec<_> = places.iter().map(|place| place.sequence.id()).collect();
        let mut sequences: Vec<_> = ids.iter_mut().map(|id| &raw mut *id).collect();
        let mut sequence_counts = vec![1i32; count];
        let mut wanted: Vec<i8> = places.iter().map(|place| place.wanted.into()).collect();
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(count).unwrap_or(i32::MAX),
            token: token.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: positions.as_mut_ptr(),
            n_seq_id: sequence_counts.as_mut_ptr(),
            seq_id: sequences.as_mut_ptr(),
            logits: wanted.as_mut_ptr(),
        };
        let mut stop: &dyn Fn() -> bool = stop;
        // SAFETY: all arrays of the batch have `count` elements and outlive the call, as does `stop`, which is
        // read by the workers only while the graph runs and is taken back right after.
        let code = unsafe {
            sys::llama_set_abort_callback(
                self.context.as_ptr(),
                Some(poll),
                (&raw mut stop).cast::<c_void>(),
            );
            let code = sys::llama_decode(self.context.as_ptr(), batch);
            sys::llama_set_abort_callback(self.context.as_ptr(), None, std::ptr::null_mut());
            code
        };
        match code {
            0 => Ok(Decoded::Done),
            1 => Ok(Decoded::NoRoom),
            2 => Err(DecodeError::Stopped),
            code => Err(DecodeError::Failed(format!(
                "evaluating {count} tokens failed with code {code}{}",
                log::last_trouble().map_or_else(String::new, |line| format!(": {line}"))
            ))),
        }
    }

    /// Returns logits of the last call that asked for them: those of the token that so many others came after.
    pub(super) fn logits(&self, before_last: usize) -> Option<&[f32]> {
        #[cfg(test)]
        if let Some(logits) = faults::of_logits(self.weights.vocabulary()) {
            return Some(logits);
        }
        let index = -1 - i32::try_from(before_last).ok()?;
        // SAFETY: -1 names the last output; where there is none llama.cpp returns null. The values stay until the
        // next decode, which takes `&mut self`.
        let logits = unsafe { sys::llama_get_logits_ith(self.context.as_ptr(), index) };
        if logits.is_null() {
            return None;
        }
        // SAFETY: an output has one value for each token of the vocabulary.
        Some(unsafe { std::slice::from_raw_parts(logits, self.weights.vocabulary()) })
    }

    /// Returns how many bytes the state of what is evaluated takes.
    #[cfg(test)]
    pub(super) fn state_bytes(&mut self) -> usize {
        // SAFETY: the context is valid; the sequence is the first one.
        unsafe { sys::llama_state_seq_get_size(self.context.as_ptr(), 0) }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: the context is freed once, and the pools, which it uses, after it.
        unsafe {
            sys::llama_free(self.context.as_ptr());
            for pool in &self.pools {
                sys::ggml_threadpool_free(pool.as_ptr());
            }
        }
    }
}

/// How far what is evaluated can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cuts {
    Anywhere,
    /// As long as a sliding window of so many tokens before the place is still there.
    Within(usize),
    /// Not at all: what a token did to a recurrent state is not undone.
    Never,
}

/// Whether a decode is to leave logits behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logits {
    None,
    /// Of so many tokens at the end.
    OfLast(usize),
}

/// A token, and where it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: Sequence,
    pub(super) position: usize,
    pub(super) token: Token,
    /// It leaves logits behind.
    pub(super) wanted: bool,
}

/// Returns llama.cpp's version, with what it was built for and the program that it is in.
pub(super) fn version() -> String {
    // SAFETY: both return a C string that lives as long as the program.
    let (version, system) = unsafe {
        (
            CStr::from_ptr(sys::llama_version()),
            CStr::from_ptr(sys::llama_print_system_info()),
        )
    };
    format!(
        "{} {} {}",
        env!("CARGO_PKG_VERSION"),
        version.to_string_lossy(),
        system.to_string_lossy()
    )
}

fn path_to_c(path: &Path) -> Result<CString, String> {
    #[cfg(unix)]
    let bytes = {
        use std::os::unix::ffi::OsStrExt as _;
        path.as_os_str().as_bytes().to_vec()
    };
    #[cfg(not(unix))]
    let bytes = path.to_string_lossy().into_owned().into_bytes();
    CString::new(bytes).map_err(|_| "its path has a zero byte in it".into())
}

#[cfg(test)]
pub(crate) use faults::Fault;
#[cfg(test)]
pub(super) use faults::break_at;

/// What goes wrong in tests, once, on the thread where it is asked for.
#[cfg(test)]
mod faults {
    use std::cell::Cell;

    /// What goes wrong, and how often it goes right before.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub(crate) enum Fault {
        /// Evaluating fails with a code.
        Decode { after: u32, code: i32 },
        /// Evaluating leaves the same number behind for every token.
        Logits { after: u32, number: f32 },
    }

    thread_local! {
        static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Makes something go wrong on this thread.
    pub(in crate::model::llama) fn break_at(fault: Option<Fault>) {
        FAULT.set(fault);
    }

    pub(super) fn of_decode() -> Option<i32> {
        match FAULT.get() {
            Some(Fault::Decode { after: 0, code }) => {
                FAULT.set(None);
                Some(code)
            }
            Some(Fault::Decode { after, code }) => {
                let after = after - 1;
                FAULT.set(Some(Fault::Decode { after, code }));
                None
            }
            _ => None,
        }
    }

    pub(super) fn of_logits(count: usize) -> Option<&'static [f32]> {
        match FAULT.get() {
            Some(Fault::Logits { after: 0, number }) => {
                FAULT.set(None);
                Some(vec![number; count].leak())
            }
            Some(Fault::Logits { after, number }) => {
                let after = after - 1;
                FAULT.set(Some(Fault::Logits { after, number }));
                None
            }
            _ => None,
        }
    }
}
