//! llama.cpp's log, sent to `tracing` and never to stderr, and what happens when ggml gives up.

#![expect(
    unsafe_code,
    reason = "llama.cpp takes its log and abort hooks as C function pointers"
)]

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;

/// How many lines of trouble are kept for a message to the user.
const KEPT_LINES: usize = 6;

/// Set this in the environment of the process, before it starts, so that ggml's C++ side installs no handler that
/// runs a debugger when it dies. Set from inside it comes too late, and races with other threads.
pub const NO_BACKTRACE: (&str, &str) = ("GGML_NO_BACKTRACE", "1");

static READY: Once = Once::new();
static ABORT_HOOK: OnceLock<fn(&str)> = OnceLock::new();
static LINES: Mutex<Lines> = Mutex::new(Lines {
    partial: String::new(),
    level: sys::GGML_LOG_LEVEL_INFO,
    trouble: Vec::new(),
});

/// Lines are logged in pieces: a line ends with its line break.
struct Lines {
    partial: String,
    level: sys::ggml_log_level,
    trouble: Vec<String>,
}

/// Installs what is called when a ggml assertion fails, just before the process aborts: nothing unwinds then, so
/// this is the place to restore the terminal and to print the reason. The first hook stays.
pub fn on_abort(hook: fn(&str)) {
    // A second hook would be a second owner of the terminal: it is refused on purpose.
    let _ = ABORT_HOOK.set(hook);
    // SAFETY: the callback is a plain function that lives for ever, and ggml only stores it.
    unsafe { sys::ggml_set_abort_callback(Some(aborted)) };
}

/// Starts llama.cpp once per process, with its log going to `tracing`.
pub(super) fn start_backend() {
    READY.call_once(|| {
        // SAFETY: the callbacks are plain functions that live for ever and use no user data. `call_once` makes sure
        // that no other thread is inside llama.cpp yet.
        unsafe {
            sys::llama_log_set(Some(logged), std::ptr::null_mut());
            sys::ggml_set_abort_callback(Some(aborted));
        }
        match LlamaBackend::init() {
            // Kept for the life of the process: dropping it would take the backend down under a running model.
            Ok(backend) => std::mem::forget(backend),
            Err(error) => tracing::warn!("llama.cpp was started before: {error}"),
        }
    });
}

/// Forgets earlier trouble, so that [`last_trouble`] speaks of what comes now.
pub(super) fn forget_trouble() {
    lines().trouble.clear();
}

/// Returns what llama.cpp complained about last, on one line.
pub(super) fn last_trouble() -> Option<String> {
    let lines = lines();
    // The first complaint is the cause; those after it only say that the caller gave up, too.
    lines.trouble.first().map(|line| readable(line))
}

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops the C++ function names that llama.cpp puts before its messages.
fn readable(line: &str) -> String {
    let mut rest = line.trim();
    while let Some((head, tail)) = rest.split_once(": ") {
        let is_function = !head.is_empty()
            && head
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        if !is_function {
            break;
        }
        rest = tail.trim_start();
    }
    crate::protocol::sanitize_line(rest)
}

unsafe extern "C" fn logged(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a string that ends with a zero byte and lives through this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let mut lines = lines();
    if level != sys::GGML_LOG_LEVEL_CONT {
        lines.level = level;
    }
    lines.partial.push_str(&text);
    if !lines.partial.ends_with('\n') {
        return;
    }
    let line = std::mem::take(&mut lines.partial);
    let line = line.trim_end();
    match lines.level {
        sys::GGML_LOG_LEVEL_ERROR => {
            if lines.trouble.len() < KEPT_LINES {
                lines.trouble.push(line.to_owned());
            }
            tracing::error!(target: "llama", "{line}");
        }
        sys::GGML_LOG_LEVEL_WARN => tracing::warn!(target: "llama", "{line}"),
        sys::GGML_LOG_LEVEL_INFO => tracing::debug!(target: "llama", "{line}"),
        _ => tracing::trace!(target: "llama", "{line}"),
    }
}

unsafe extern "C" fn aborted(message: *const c_char) {
    let message = if message.is_null() {
        "unknown reason".into()
    } else {
        // SAFETY: ggml passes a buffer of its own that ends with a zero byte.
        unsafe { CStr::from_ptr(message) }.to_string_lossy()
    };
    tracing::error!(target: "llama", "abort: {message}");
    if let Some(hook) = ABORT_HOOK.get() {
        hook(&message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_shown_without_the_functions_that_report_it() {
        assert_eq!(
            readable(
                "llama_model_load: error loading model: tensor 'x' data is not within the file bounds\n"
            ),
            "error loading model: tensor 'x' data is not within the file bounds"
        );
        assert_eq!(readable("gguf_init: a::b: bad"), "bad");
    }
}
