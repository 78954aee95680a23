//! What is promised, against whom, by what, and what is not.
//!
//! This page has no code. Every promise names what keeps it and the test that shows it.
//!
//! # What is to be kept safe
//!
//! The source, the prompts and the transcripts (nobody else is to read them); the working tree and its history (nothing
//! is to be lost or changed unseen); everything outside the roots; credentials; the user's attention, which is what an
//! approval is made of.
//!
//! # Against whom
//!
//! - A repository that means harm: its files, its names, its git metadata, its settings for other programs.
//! - A program that a session starts: a project's check, a third-party server. It runs as the user.
//! - A model file that means harm: the parser of its format, and the text that it writes.
//! - A curious network.
//! - The model itself, mistaken.
//!
//! Not against: an administrator of this machine, a fault of the kernel, other programs of the same user that mean harm
//! already, the hardware, and a user who says yes to a question that told the truth.
//!
//! # What is promised
//!
//! | promise | kept by | shown by |
//! | --- | --- | --- |
//! | The process with the code and the model connects to nothing: it cannot make a socket of any family, nor get one by io_uring, by another table of system calls or from another process. | seccomp, before the first thread ([`sandbox::seal`](crate::sandbox::seal())); Landlock's rules for ports behind it | `walden sandbox prove`; `tests/packets.rs`: in a network of its own a session sends no packet |
//! | It reads and writes the files of the roots, of walden's state, and what [`config`](crate::config) names; of the system it reads. | Landlock | `walden sandbox prove` |
//! | What it starts has no more than it has, and programs of a check or a server have less: an own home, limits, no metadata of other files where that is possible. | the same, stacked; [`sandbox::Launcher`](crate::sandbox::Launcher) | `walden sandbox prove`, the third and fourth columns; `tests/sandbox.rs` |
//! | A repository that is opened runs nothing, connects to nothing and has nothing outside opened, before the first word of the user. | its settings are data; git through libgit2 with its paths checked ([`git`](crate::git)) | `tests/hostile.rs`: 34 repositories under strace |
//! | What connects, connects to what the user's own configuration allows, and it is noted. | the [`broker`](crate::broker), a process that reads no code and has a seal of its own | `tests/broker.rs` |
//! | What was asked, decided and done is kept, and a record that was changed, moved or taken out is found. | [`chain`](crate::chain) under [`audit`](crate::audit) | every bit of a log flipped, one at a time |
//!
//! The status bar says what is enforced now: `sealed · net off · 1 root`. Where the kernel cannot, it says that instead,
//! walden says on standard error which promise is weaker, and `--strict` refuses to start.
//!
//! # What is not promised
//!
//! - **Modes, times and attributes** of the user's own files elsewhere can be changed by walden itself and by a project's
//!   check (not by third-party servers): Landlock does not bound them, and compilers and package managers need the calls.
//!   `walden sandbox prove` shows it as `holds for programs`. Likewise, that a file exists and how large it is can be
//!   learned where its folder can be searched.
//! - **The system's files** under `/usr`, `/etc`, `/proc` and the like can be read, and so can the folders of toolchains
//!   and of the `PATH`.
//! - **Written from the inside, taken out by others**: names and contents inside the roots leave the machine when the user
//!   pushes them; time and processor load can be observed by other programs.
//! - **A check runs the project's code**, with its own copy to write in. What it computes is the project's word.
//! - **As root** the system's secrets (`/etc/shadow`) can be read. The capabilities that reach into other processes, the
//!   network's settings and the kernel are given up, and other processes' environments are out of reach.
//! - **Graphics cards**: the driver's devices are open to a walden that was built for them, and what a driver does with
//!   them is its own affair. Under `--no-seal` nothing of this page holds.
//! - **An audit log that was written anew as a whole**, or cut at its end: a chain cannot tell. Note the head that
//!   `walden audit verify` prints.
//! - **`walden model pull`, `walden doctor` and the like** are not sealed: they run no model on any code.
//!   `walden serve` has no network either, unless `--http` asks for it; its files are bounded by its roots in the
//!   program, and by the kernel only with `--ignore-client-roots`: a client may name others.
//! - **macOS and Windows**: none of this is built there yet.
//!
//! # Which kernel
//!
//! Linux 6.2 (Landlock 3) for the files, 6.7 for the second lock on ports, 6.12 (Landlock 6) to keep signals in; seccomp
//! everywhere. No namespaces are needed, so that distributions which forbid them to users are as good as others.
