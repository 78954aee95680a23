//! What a context holds: several sequences in one buffer, forked, cut back, copied out and put back in.

#![expect(unsafe_code, reason = "llama.cpp is a C library")]

use llama_cpp_sys_2 as sys;

use super::native::{Context, Cuts};

/// How many sequences hold something from one request to the next: the conversation, and two for side requests.
const LASTING: usize = 3;

/// How many more there are that go on side by side: from one of these for a moment, or with what clients ask.
pub(super) const BRANCHES: usize = 8;

/// Returns how many sequences a context is made for. A recurrent model keeps a state for each, whether it is used or not.
pub(super) fn sequences(cuts: Cuts) -> u32 {
    let branches = if cuts == Cuts::Anywhere { BRANCHES } else { 0 };
    (LASTING + branches) as u32
}

/// `LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY`, a macro that the bindings leave out.
const PARTIAL_ONLY: sys::llama_state_seq_flags = 1;

/// One of a context's sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence(usize);

impl Sequence {
    /// The conversation.
    pub(super) const MAIN: Self = Self(0);

    /// Returns the sequences of side requests.
    pub(super) fn sides() -> impl Iterator<Item = Self> {
        (1..LASTING).map(Self)
    }

    /// Returns the sequences of clients' questions: the same ones that branches are begun in.
    pub(super) fn clients() -> impl Iterator<Item = Self> {
        (0..BRANCHES).map(Self::branch)
    }

    /// Returns one of the sequences that go on for a moment, counted from 0.
    pub(super) fn branch(number: usize) -> Self {
        debug_assert!(number < BRANCHES);
        Self(LASTING + number)
    }

    /// Returns the place in a list that has one entry for each sequence.
    pub(super) fn index(self) -> usize {
        self.0
    }

    pub(super) fn id(self) -> sys::llama_seq_id {
        sys::llama_seq_id::try_from(self.0).unwrap_or(0)
    }
}

/// How much of a sequence's state is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// What cannot be cut back: a recurrent state, or a sliding window. All of it where there is no such thing.
    Uncuttable,
}

impl Extent {
    fn flags(self) -> sys::llama_state_seq_flags {
        match self {
            Self::Whole => 0,
            Self::Uncuttable => PARTIAL_ONLY,
        }
    }
}

impl Context<'_> {
    /// Tells whether a sequence of `length` tokens can be cut back to `kept` of them.
    pub(super) fn can_cut(&self, sequence: Sequence, length: usize, kept: usize) -> bool {
        if kept == length || kept == 0 {
            return true;
        }
        match self.cuts {
            Cuts::Anywhere => true,
            Cuts::Never => false,
            Cuts::Within(window) => {
                // llama.cpp forgets any part without a word, and what the window needs may be gone already.
                let earliest = self.earliest(sequence);
                earliest <= kept.saturating_sub(window + 1)
            }
        }
    }

    /// Tells whether any sequence can be cut back to any place.
    pub(super) fn cuts_anywhere(&self) -> bool {
        self.cuts == Cuts::Anywhere
    }

    fn earliest(&self, sequence: Sequence) -> usize {
        // SAFETY: the context is valid and its memory lives as long.
        let position = unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            if memory.is_null() {
                return 0;
            }
            sys::llama_memory_seq_pos_min(memory, sequence.id())
        };
        usize::try_from(position).unwrap_or(usize::MAX)
    }

    /// Returns how many tokens of a sequence are there, as llama.cpp sees it.
    pub(super) fn reached(&self, sequence: Sequence) -> usize {
        // SAFETY: the context is valid and its memory lives as long.
        let position = unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            if memory.is_null() {
                return 0;
            }
            sys::llama_memory_seq_pos_max(memory, sequence.id())
        };
        usize::try_from(position + 1).unwrap_or(0)
    }

    /// Forgets a sequence from a position on. Returns `false` when this kind of model cannot forget a part.
    #[must_use]
    pub(super) fn forget_from(&mut self, sequence: Sequence, position: usize) -> bool {
        let position = sys::llama_pos::try_from(position).unwrap_or(sys::llama_pos::MAX);
        // SAFETY: the context is valid and its memory lives as long.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            memory.is_null() || sys::llama_memory_seq_rm(memory, sequence.id(), position, -1)
        }
    }

    /// Forgets a sequence.
    pub(super) fn forget(&mut self, sequence: Sequence) {
        // Removing a whole sequence never fails.
        let _ = self.forget_from(sequence, 0);
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        // SAFETY: the context is valid and its memory lives as long.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            if !memory.is_null() {
                // The values may stay: nothing refers to them, and clearing gigabytes takes time.
                sys::llama_memory_clear(memory, false);
            }
        }
    }

    /// Makes a sequence begin with the first tokens of another one, which it then shares.
    pub(super) fn fork(&mut self, from: Sequence, to: Sequence, tokens: usize) {
        self.forget(to);
        let end = sys::llama_pos::try_from(tokens).unwrap_or(sys::llama_pos::MAX);
        // SAFETY: the context is valid and its memory lives as long; both sequences are below `n_seq_max`.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            if !memory.is_null() {
                sys::llama_memory_seq_cp(memory, from.id(), to.id(), 0, end);
            }
        }
    }

    /// Copies a sequence's state out. `None` when llama.cpp cannot.
    pub(super) fn state(&self, sequence: Sequence, extent: Extent) -> Option<Vec<u8>> {
        let context = self.context.as_ptr();
        // SAFETY: the context is valid.
        let size =
            unsafe { sys::llama_state_seq_get_size_ext(context, sequence.id(), extent.flags()) };
        let mut state = vec![0_u8; size];
        // SAFETY: the buffer is as long as it is said to be.
        let written = unsafe {
            sys::llama_state_seq_get_data_ext(
                context,
                state.as_mut_ptr(),
                size,
                sequence.id(),
                extent.flags(),
            )
        };
        (size > 0 && written == size).then_some(state)
    }

    /// Puts a sequence's state back in, in place of what is there. Where that fails the sequence is left in no usable
    /// state, and is to be forgotten.
    #[must_use]
    pub(super) fn restore(&mut self, sequence: Sequence, state: &[u8], extent: Extent) -> bool {
        // SAFETY: the state was written by `state` of a context of the same kind: in this process, or in another one
        // whose settings and whose checksum were compared. llama.cpp does not read beyond its end.
        let read = unsafe {
            sys::llama_state_seq_set_data_ext(
                self.context.as_ptr(),
                state.as_ptr(),
                state.len(),
                sequence.id(),
                extent.flags(),
            )
        };
        read == state.len()
    }
}
