//! The vocabulary as constraints need it.

use std::sync::Arc;

use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

use super::native::{Token, Weights};

/// Builds the trie of all tokens. Control tokens are marked, so that no grammar over text allows them.
pub(super) fn token_env(weights: &Weights) -> TokEnv {
    let count = Token::try_from(weights.vocabulary()).unwrap_or(Token::MAX);
    let mut ends = Vec::new();
    let mut words = Vec::with_capacity(weights.vocabulary());
    for token in 0..count {
        let is_end = weights.ends_generation(token);
        if is_end {
            ends.push(token.cast_unsigned());
        }
        let mut word = weights.piece(token);
        if (is_end || weights.is_control(token)) && !word.is_empty() {
            word.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
        }
        words.push(word);
    }
    let end = weights
        .end()
        .map_or_else(|| ends.first().copied().unwrap_or(0), Token::cast_unsigned);
    // The first one is the one that stands for all.
    ends.retain(|token| *token != end);
    ends.insert(0, end);
    let info = TokRxInfo::new(count.cast_unsigned(), end);
    let trie = TokTrie::from(&info, &words).with_eos_tokens(&ends);
    Arc::new(ApproximateTokEnv::new(trie))
}
