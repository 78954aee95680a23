//! What is done about third-party servers while the host runs: they are left out and taken in again, forgotten, and
//! configured anew.

use std::sync::Arc;

use super::config::Definition;
use super::foreign::{Command, Foreign};
use super::host::Host;
use crate::protocol::{ServerAction, ServerState};

use super::event::HostEvent;

/// Reads the configuration again. `None` when it is what it was; else the servers, and what is wrong with the files.
pub type Reload = Box<dyn FnMut() -> Option<(Vec<Definition>, Vec<String>)> + Send + Sync>;

impl Host {
    /// Does something about a server. Returns a sentence for the user, where there is something to say.
    ///
    /// # Errors
    /// One line that says why it is not done.
    pub fn act(&mut self, server: &str, action: &ServerAction) -> Result<Option<String>, String> {
        let Some(ground) = self.ground.clone() else {
            return Err(format!("there is no server `{server}`"));
        };
        let running = self
            .foreign
            .iter()
            .position(|one| one.shared.definition.name == server);
        let idle = self.idle.iter().position(|one| one.name == server);
        match (action, running, idle) {
            (_, None, None) => Err(format!("there is no server `{server}`")),
            (ServerAction::Restart, Some(at), _) => {
                self.foreign[at].command(Command::Restart);
                Ok(None)
            }
            (ServerAction::Restart, None, _) => {
                Err(format!("`{server}` is left out; take it in first"))
            }
            (ServerAction::LogIn, Some(at), _) => {
                let login = super::login::begin(&self.foreign[at], &ground)?;
                // One at a time: a second one takes the place of the first, whose questions are taken back.
                self.logins.abort_all();
                self.logins.spawn(login);
                Ok(None)
            }
            (ServerAction::LogIn, None, _) => {
                Err(format!("`{server}` is left out; take it in first"))
            }
            (ServerAction::Disable, Some(at), _) => {
                let mut definition = self.stop(at);
                let kept = self.choices.set_disabled(&definition.key(), true);
                definition.disabled = true;
                self.idle.push(definition);
                self.say_idle(server);
                kept.map(|()| None)
            }
            (ServerAction::Enable, None, Some(at)) => {
                let mut definition = self.idle.remove(at);
                definition.disabled = false;
                let kept = self.choices.set_disabled(&definition.key(), false);
                self.begin(definition, &ground);
                kept.map(|()| None)
            }
            (ServerAction::Disable | ServerAction::Enable, ..) => Ok(None),
            (ServerAction::Remove, running, idle) => {
                let definition = match (running, idle) {
                    (Some(at), _) => self.stop(at),
                    (None, Some(at)) => self.idle.remove(at),
                    (None, None) => return Ok(None),
                };
                let key = definition.key();
                let forgotten = ground.pins.forget(&key).map_err(|error| error.to_string());
                let kept = self.choices.set_disabled(&key, true);
                self.say_idle(server);
                forgotten?;
                kept?;
                Ok(Some(format!(
                    "The server `{server}` is not used any more, and what you agreed to of it is forgotten. \
                     `walden mcp remove {server}` takes it out of your configuration."
                )))
            }
            (ServerAction::Tool { tool, used }, Some(at), _) => {
                let shared = &self.foreign[at].shared;
                let mut left_out = shared.left_out.borrow().clone();
                match used {
                    true => left_out.remove(tool),
                    false => left_out.insert(tool.clone()),
                };
                let kept = self
                    .choices
                    .set_left_out(&shared.definition.key(), &left_out);
                shared.left_out.send_replace(left_out);
                kept.map(|()| None)
            }
            (ServerAction::Tool { .. }, None, _) => Err(format!("`{server}` is left out")),
        }
    }

    /// Takes in what changed in the configuration since it was last read. Returns what is wrong with it.
    pub fn reload(&mut self) -> Vec<String> {
        let Some(ground) = self.ground.clone() else {
            return Vec::new();
        };
        let Some((definitions, problems)) = self.reload.as_mut().and_then(|reload| reload()) else {
            return Vec::new();
        };
        let gone: Vec<String> = self
            .foreign
            .iter()
            .map(|one| &one.shared.definition)
            .filter(|known| !definitions.iter().any(|one| one.key() == known.key()))
            .map(|known| known.name.clone())
            .collect();
        for name in gone {
            let at = self
                .foreign
                .iter()
                .position(|one| one.shared.definition.name == name);
            if let Some(at) = at {
                self.stop(at);
                self.say(&name, "it is not configured any more");
            }
        }
        self.idle.clear();
        for definition in definitions {
            let key = definition.key();
            let running = self
                .foreign
                .iter()
                .position(|one| one.shared.definition.key() == key);
            match (running, definition.disabled) {
                (Some(at), false) if self.foreign[at].shared.definition == definition => {}
                (Some(at), disabled) => {
                    self.stop(at);
                    if disabled {
                        self.say_idle(&definition.name);
                        self.idle.push(definition);
                    } else {
                        self.begin(definition, &ground);
                    }
                }
                (None, true) => self.idle.push(definition),
                (None, false) => self.begin(definition, &ground),
            }
        }
        problems
    }

    /// Begins to look after a server.
    pub(super) fn begin(&mut self, definition: Definition, ground: &Arc<super::foreign::Ground>) {
        let left_out = self.choices.left_out(&definition.key());
        let foreign = Foreign::start(definition, left_out, Arc::clone(ground));
        self.registry.add(Arc::clone(&foreign.shared));
        self.foreign.push(foreign);
    }

    /// Ends a server, without waiting for it.
    fn stop(&mut self, at: usize) -> Definition {
        let foreign = self.foreign.remove(at);
        let definition = foreign.shared.definition.clone();
        self.registry.remove(&foreign.shared);
        self.closing.spawn(foreign.close());
        definition
    }

    fn say_idle(&self, server: &str) {
        self.say(server, "you left it out");
    }

    fn say(&self, server: &str, reason: &str) {
        let _ = self.answering.events.send(HostEvent::Server {
            server: server.to_owned(),
            state: ServerState::Down {
                reason: reason.to_owned(),
            },
        });
    }
}
