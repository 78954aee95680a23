//! What the model may read before it is asked: the beginning of a session, and a message in the writing.

use super::{Agent, Effect, prompt};
use crate::protocol::{Message, ToolChoice};

impl Agent {
    /// Asks for the prompt of a turn to be evaluated that would begin with a draft, if no turn is under way. The
    /// conversation stays as it is.
    pub(super) fn prepare(&mut self, draft: &str, out: &mut Vec<Effect>) {
        if self.turn.is_some() || !self.is_ready() || !self.queued.is_empty() {
            return;
        }
        let mut request = self.request(ToolChoice::Auto);
        if request.messages.is_empty() {
            request.messages.push(self.system());
        }
        // An empty message is one that was not begun: what would stand before it may change until it is.
        let text = if draft.is_empty() {
            String::new()
        } else {
            self.asked(draft)
        };
        request.messages.push(Message::User { text });
        out.push(Effect::Prepare(request));
    }

    /// Returns the system text of a session that begins now.
    pub(super) fn system(&self) -> Message {
        let mut text = prompt::system_text(
            &self.settings.repository,
            &self.tools,
            self.form(),
            self.tool_list(),
        );
        text.push_str(&self.guidance_text());
        Message::System { text }
    }

    /// Returns a message as the model gets it, with what happened since the last turn before it.
    pub(super) fn asked(&self, text: &str) -> String {
        let parts = self.aside.iter().map(String::as_str).chain([text]);
        parts.collect::<Vec<_>>().join("\n\n")
    }
}
