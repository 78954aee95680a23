//! walden: agentic coding in a terminal with a local model, where nothing leaves the machine.
//!
//! An engineer asks for a review, a fix or a refactoring; a model that runs inside this process does the work through
//! MCP servers that are bounded by the repository; every change is shown before it is made.
//!
//! ```text
//!  main  cli  config  compose  doctor     composition root: builds everything, passes it down
//!  +------------------+--------------+----------------------------+
//!  | tui              | exec         | serve (servers, for others)|  front ends
//!  +--------+---------+------+-------+----------------------------+
//!           | Op (bounded)   ^ Event (unbounded)
//!  +--------v----------------+------------------------------------+
//!  | session   driver: owns the agent, performs effects, journal  |  imperative shell
//!  +---+-----------+---------------------+------------------+-----+
//!  | agent |   | model        |   | mcp (host)  |    | workspace  |  adapters
//!  | pure  |   | own thread,  |   | rmcp client |    | roots, edit |  (siblings never
//!  |       |   | llama.cpp    |   |             |    | diff, undo  |   import each other)
//!  +---+---+   +---+----------+   +------+------+    +------^------+
//!      |           |              | servers: filesystem git run | (servers -> workspace, git -> workspace)
//!      |           |              |   memory chat               | (chat asks a model that compose hands in)
//!      |           |              | sandbox  Landlock, seccomp    | (servers/run -> sandbox)
//!  +---v-----------v---------------------v-------------------------+
//!  | protocol   plain data + Transcript::apply                     |  vocabulary
//!  +---------------------------------------------------------------+
//! ```
//!
//! # Where to begin
//!
//! - A request's way: [`tui::run`] or [`exec::run`] sends [`protocol::Op`]; [`session::start`]'s driver feeds
//!   [`agent::Agent::handle`], whose effects it performs: [`model::Model::generate`], [`mcp::Caller::call`],
//!   [`workspace::Checkpoints`]. Events come back and [`protocol::Transcript::apply`] makes a picture of them.
//! - A change's way: the model writes an `edit` call; the filesystem server previews it ([`protocol::FileChange`] with
//!   the hash of the bytes it was planned on); the policy allows, asks or denies; the pre-image is kept, the intent is
//!   journaled and fsynced; the server makes exactly that change or refuses. Where only a part is allowed
//!   ([`protocol::AllowedPart`]), what the part comes to is asked of the server first, and then that is the change.
//! - A call's judgement: the server rates it ([`protocol::Risk`]), the driver looks where its paths really lead
//!   ([`protocol::Target`]), [`agent::Policy`] judges it by the mode's table, the user's rules ([`protocol::Rule`], kept
//!   by [`session::RuleFiles`]) and what was read that the user did not write; a question carries an
//!   [`protocol::Ask`]. A result that holds a secret is asked about before the model has it, and blacked out otherwise.
//!   `tests/attacks.rs` plays a model that obeys every order it reads.
//! - Another host's way: [`serve`] gives it the same servers with all their tools; [`servers::filesystem`] says where
//!   they differ from the reference ones. [`servers::chat`] gives it the model: what it asks goes as [`protocol::Lane`]
//!   `Client`, beside nothing of a session.
//!
//! - A call's arguments: the driver tells the model what files and folders there are ([`protocol::Known`]) and what
//!   the files that were read hold now ([`protocol::Passages`]); [`model::constraint`] lets a model write only calls
//!   that fit their tool's schema, name what is there and quote what a file holds once.
//!
//! - What a session did, hop by hop: the journal keeps each entry with its time, and [`spans`] tells a trace from it.
//!
//! - What the kernel keeps: `main` becomes a worker that [`sandbox::seal()`] takes the network and other files from, before
//!   its first thread; what it may connect to, the [`broker`] connects; [`audit`] keeps what was done. [`threat_model`]
//!   says what is promised, and what is not.
//!
//! # Invariants
//!
//! 1. Ops are bounded, events unbounded: two bounded queues that face each other deadlock. Back-pressure stays between
//!    model and session.
//! 2. Call ids are minted by the agent, never taken from the model; a late result of an interrupted call settles
//!    nothing.
//! 3. Each generation has a fresh channel and a fresh cancel token.
//! 4. A decision counts once, and what was approved is what is written: a change carries its base hash, and another
//!    base is refused.
//! 5. An interrupt answers everything: questions are dropped, calls cancelled, the next turn is clean.
//! 6. `agent` reads no clock, no file and no random number. No `Arc<Mutex<_>>` crosses a layer.
//! 7. Only [`workspace::Roots`] opens the user's files; only `mcp/convert` and the servers know rmcp's types; only
//!    `model/llama` and `model/constraint` know llama.cpp's; only [`git::Repo`] opens a repository, and only `git` knows
//!    libgit2's; only `model/store` and `bench` start a process (pip, `llama-bench`), `compose/editor` the editor that
//!    the user named, `main` this program once more with the environment that the engine's libraries read before
//!    `main`, `compose` the broker, and [`sandbox`] programs that it confines.
//! 8. Everything put before the model or on screen has a size cap, and every foreign string passes
//!    [`protocol::sanitize`] before it reaches the terminal.
//! 9. llama.cpp may call `abort()`: the journal is on the disk before each generation and call, and the terminal is
//!    restored from ggml's abort hook.
//! 10. The prompt is append-only within a session: what was sent is sent again, byte for byte.
//!
//! `tests/architecture.rs` holds the table of who may import what, and checks the sources against it.

#![deny(unsafe_code)]

pub mod agent;
pub mod audit;
pub mod bench;
#[cfg(feature = "net")]
pub mod broker;
pub mod chain;
pub mod cli;
pub mod code;
pub mod compose;
pub mod config;
pub mod doctor;
pub mod door;
pub mod error;
pub mod exec;
pub mod export;
pub mod git;
pub mod mcp;
pub mod model;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;
pub mod review;
pub mod sandbox;
pub mod serve;
pub mod servers;
pub mod session;
pub mod spans;
pub mod threat_model;
pub mod tui;
pub mod workspace;
