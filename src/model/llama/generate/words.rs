//! Answers that are to be words and nothing else.

use toktrie::SimpleVob;

use super::super::native::Weights;
use super::{Answer, text_of};
use crate::model::parse::StreamParser;
use crate::protocol::{CallForm, Lane, ModelRequest, ToolChoice};

/// Tells whether an answer is held to be words: where the model has tools in sight that it is not to call, and beside
/// the conversation. What a client asks without tools may be answered by a number or by code.
pub(super) fn words_only(request: &ModelRequest) -> bool {
    let is_free = request.lane == Lane::Client && request.tools.is_empty();
    request.choice == ToolChoice::None && !is_free
}

/// Returns the tokens that begin with a letter: an answer in words begins with one, and a small model that has tools in
/// sight would begin with a call.
pub(super) fn first_words(weights: &Weights) -> SimpleVob {
    let count = weights.vocabulary();
    let mut mask = SimpleVob::alloc(count);
    for token in 0..u32::try_from(count).unwrap_or(u32::MAX) {
        let piece = weights.piece(token.cast_signed());
        let text = String::from_utf8_lossy(&piece);
        let is_word = text
            .trim_start_matches(' ')
            .starts_with(char::is_alphabetic);
        if is_word && !weights.is_control(token.cast_signed()) {
            mask.allow_token(token);
        }
    }
    mask
}

/// Returns what stands before a call that was begun in an answer that was to be words, without its opening mark.
pub(super) fn before_call(raw: &[u8], parser: &StreamParser) -> Vec<u8> {
    let text = text_of(raw);
    let body = parser.open_call().map_or(0, |open| open.body.len());
    let mut words = text.get(..text.len() - body).unwrap_or_default().trim_end();
    let marks = CallForm::ALL.map(|form| form.mark().trim_end());
    for mark in marks.into_iter().chain(["<tools>"]) {
        words = words.strip_suffix(mark).unwrap_or(words).trim_end();
    }
    if let Some(line) = words.lines().last().filter(|line| line.starts_with("```")) {
        words = words[..words.len() - line.len()].trim_end();
    }
    words.as_bytes().to_vec()
}

impl Answer<'_, '_> {
    pub(super) fn words_only(&self) -> bool {
        words_only(self.request)
    }

    /// Takes a call that was begun out of an answer that was to be words, with its opening mark.
    pub(super) fn cut_off_call(&mut self) {
        self.raw = before_call(&self.raw, &self.parser);
        self.cut = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{few, request};
    use super::*;
    use crate::protocol::{Risk, ToolSpec};

    #[test]
    fn what_a_client_asks_without_tools_may_be_answered_by_a_number() {
        let mut request = request("What is 2 + 2?", few(4));
        assert!(!words_only(&request), "a call may be made");
        request.choice = ToolChoice::None;
        assert!(words_only(&request));
        request.lane = Lane::Client;
        assert!(!words_only(&request));
        request.tools = vec![ToolSpec {
            server: "test".to_owned(),
            name: "sum".to_owned(),
            tool: "sum".to_owned(),
            description: String::new(),
            schema: serde_json::json!({"type": "object"}),
            risk: Risk::Read,
            previews: false,
        }];
        assert!(words_only(&request), "no call is to be made");
    }
}
