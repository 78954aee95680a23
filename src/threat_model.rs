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
//! | A walden that was built without the feature `net` has no function that makes a socket, connects one or looks up a name: it imports `socketpair` and what sends over sockets that are there, and nothing else of the kind. | what is compiled in | `tests/imports.rs`, on the program itself |
//! | It reads and writes the files of the roots, of walden's state, and what [`config`](crate::config) names; of the system it reads. | Landlock | `walden sandbox prove` |
//! | What it starts has no more than it has, and programs of a check or a server have less: an own home, limits, no metadata of other files where that is possible. | the same, stacked; [`sandbox::Launcher`](crate::sandbox::Launcher), by a helper that loads no library and obeys no variable | `walden sandbox prove`, the third and fourth columns; `tests/sandbox.rs`; `tests/helper.rs`: both helpers confine alike, and one that cannot do what it is told starts nothing |
//! | A repository's own entry for a server grants it nothing: no file elsewhere by an argument, a link or a first line, no program that leads elsewhere, no container, and no variable that acts before it is confined. | what it names is looked up without its links; what lies elsewhere is shown as a wish | `src/mcp/foreign/reads.rs`; `src/mcp/tests/config.rs`; `tests/helper.rs` |
//! | What is refused or asked about by a file's name is so by every name that a file system takes for it: other cases, letters that are passed over, ligatures, dots at the end. | names are [folded](crate::protocol::folded) as the file systems do that tell the least apart | `src/protocol/folded.rs`, `src/protocol/rule.rs`, `src/workspace/diff.rs` |
//! | A repository that is opened runs nothing, connects to nothing and has nothing outside opened, before the first word of the user. | its settings are data; git through libgit2 with its paths checked ([`git`](crate::git)) | `tests/hostile.rs`: 34 repositories under strace |
//! | What connects, connects to what the user's own configuration allows, and it is noted. | the [`broker`](crate::broker), a process that reads no code and has a seal of its own | `tests/broker.rs` |
//! | A server over HTTP that names its addresses leads nowhere else, whatever it answers. | what `sandbox.network` of its entry names, of what is allowed at all | `src/compose/mcp/narrowed.rs` |
//! | Nothing that a file, a model or a server says acts on the terminal, or hides in it. | one [door](crate::door) before standard output and error, a screen that writes its own sequences alone, and a clipboard that holds plain text; JSON says the same by its own escapes | fuzzed: `src/tui/hostile_tests.rs`, `src/exec/hostile_tests.rs`, `src/export.rs`, `src/tui/plain/tests.rs`, `src/tui/clipboard.rs`, `src/door/`; `tests/doors.rs`: 50 commands and errors; `walden sandbox prove` throws as many hostile bytes at the door as it is asked to, and counts |
//! | What stands in a file of secrets is asked about before the model has it: read, mentioned, found by a search, in a difference or a commit. Its text is in no log. | names of files ([`secret_file`](crate::protocol::secret_file)), forms of tokens ([`find_secret`](crate::protocol::find_secret)), and what results quote ([`quoted_secret`](crate::protocol::quoted_secret)) | `tests/attacks.rs`: `a_file_of_secrets_is_asked_about_however_it_is_reached` |
//! | Where the kernel lacks what confines a program, the program is not started; a session says what is weaker, or is refused. | no weaker sandbox without the user's word, of one server by its name | `tests/lacking.rs`: under filters that play such hosts |
//! | A server in a container has no network, no privileges and nothing to write, unless its entry grants it; a sealed session cannot start any other. | the whole command line of the runtime is shown and pinned; a keeper from before the seal knows this one alone, starts it as often as it is needed and ends it; it is told `start`, bytes and `end`, and nothing else | `tests/containers.rs` |
//! | Orders in what is read cost no harmless work its ease: of 8 harmless twins of the attacks, none is asked about once more. | taint that counts what the user named | `tests/attacks.rs`: `the_same_work_on_harmless_content_costs_few_questions` |
//! | What was asked, decided and done is kept, and a record that was changed, moved or taken out is found. | [`chain`](crate::chain) under [`audit`](crate::audit) | every bit of a log flipped, one at a time |
//!
//! The status bar says what is enforced now: `sealed · net off · 1 root`. Where the kernel cannot, it says that instead,
//! walden says on standard error which promise is weaker, and `--strict` refuses to start.
//!
//! # What broke elsewhere
//!
//! Incidents of other programs of this kind, and attacks on git's metadata; each is played by tests.
//!
//! | what happened | here | shown by |
//! | --- | --- | --- |
//! | A root taken for the beginning of a name: `/root` and `/rootevil` (CVE-2025-53110) | paths are opened beneath the root's descriptor | `src/workspace/tests/boundary.rs`: `paths_that_lead_outside_are_refused`; `tests/cve.rs`: `a_sibling_that_begins_like_the_root_is_outside` |
//! | A symlink out of the root (CVE-2025-53109) | `openat2` beneath the root | `src/workspace/tests/boundary.rs`: `symlinks_that_lead_outside_are_refused_and_those_inside_are_followed`; `src/workspace/tests/boundary.rs`: `magic_links_lead_nowhere` |
//! | Checked, then exchanged, then opened | what was checked is what is opened | `src/workspace/tests/boundary.rs`: `a_racing_rename_never_leads_outside`; `src/workspace/tests/boundary.rs`: `a_racing_rename_never_makes_a_write_go_outside` |
//! | A git server that makes, reads and stages anywhere, and takes options for names (CVE-2025-68143 to -68145, CVE-2026-27735) | no program git; every path is checked against the roots | `src/servers/git/tests/hostile.rs`: `only_what_was_opened_can_be_reached`; `src/servers/git/tests/hostile.rs`: `only_files_of_the_repository_are_staged`; `src/servers/git/tests/hostile.rs`: `without_a_root_nothing_can_be_reached` |
//! | No roots taken for all roots | no root, no access | `src/workspace/tests/boundary.rs`: `without_roots_nothing_is_allowed`; `src/servers/filesystem/tests/client_roots.rs`: `the_roots_of_a_client_replace_the_servers_whenever_they_change` |
//! | An agent writes its own list of servers (CVE-2025-54135, CVE-2026-30615) | such files are asked about in every mode, and a repository's servers are inert | `tests/cve.rs`: `what_agents_and_builds_obey_is_asked_about_under_any_name`; `src/mcp/tests/config.rs`: `a_repository_cannot_grant_its_own_server_anything` |
//! | Trust in a name, and another content under it (CVE-2025-54136) | pins over the whole definition and the program's bytes | `src/mcp/tests/pins.rs`: `any_change_of_a_definition_is_told_field_by_field`; `tests/mcp.rs`: `a_server_that_changes_its_tools_is_stopped_with_the_difference` |
//! | A repository that acts when it is opened (CVE-2025-59536, CVE-2026-21852, CVE-2026-33068, CVE-2025-61260, GHSA-wpqr-6v78-jr5g) | what a repository says is data until the user's first word | `tests/hostile.rs`: `a_hostile_repository_runs_opens_and_reaches_nothing_before_the_first_word` |
//! | Approved once, used for ever | trust is in a hash of what was shown | `src/session/trust.rs`: `trust_is_in_one_text_and_can_be_taken_back`; `src/mcp/tests/pins.rs`: `who_is_trusted_for_a_run_is_held_to_what_it_was_at_first` |
//! | A protected file that is not there yet, or is reached through its parent (CVE-2026-25725, CVE-2026-39861) | names are judged, there or not; links are followed before they are | `tests/cve.rs`: `a_repositorys_own_folder_is_protected_under_any_name`; `src/workspace/tests/boundary.rs`: `nothing_under_git_is_written` |
//! | The question names a link, and something else is written | the question shows where a path leads | `tests/attacks.rs`: `an_obeyed_order_takes_no_effect_without_a_question_that_tells_the_truth` |
//! | A refusal that a link goes around (CVE-2026-25724) | rules are judged on both names | `src/protocol/rule.rs`: `an_allowance_is_judged_on_where_a_path_leads_and_a_refusal_on_both_names`; `tests/attacks.rs`: `a_rule_is_judged_on_what_a_link_leads_to` |
//! | A list of allowed commands that a shell reads otherwise (CVE-2026-22708, CVE-2026-30625) | no shell; an allowance fits plain words alone | `src/protocol/rule.rs`: `a_command_is_allowed_by_its_words_and_refused_wherever_it_stands` |
//! | Names that are looked up carry data out (CVE-2025-55284) | no socket of any family | `tests/sandbox.rs`: `every_way_out_is_refused_by_the_kernel`; `tests/packets.rs`: `a_whole_session_sends_no_packet_and_its_control_does` |
//! | A host name with a NUL that ends like an allowed one | names are compared whole, and in one form | `src/broker/allow.rs`: `what_is_written_is_allowed_and_nothing_that_looks_like_it`; `tests/cve.rs`: `a_host_name_that_only_ends_like_an_allowed_one_is_refused` |
//! | An agent that switches its own questions off (CVE-2025-53773) | no tool writes settings, and no mode allows that class | `src/agent/policy.rs`: `modes_differ_in_what_they_ask` |
//! | Passing files under names that can be guessed (CVE-2026-46406) | random names, made anew, in folders of the user alone | `src/servers/memory/tests/file.rs`: `nobody_else_may_read_it`; `src/workspace/tests/sweeping.rs`: `what_was_never_put_in_place_is_removed` |
//! | A bare repository with hooks inside another one (CVE-2026-26268) | a repository is opened by its own path only, and no hook is run | `src/servers/git/tests/hostile.rs`: `a_repository_that_lies_in_another_is_opened_only_by_its_own_path`; `src/servers/git/tests/hostile.rs`: `nothing_that_a_repository_names_is_run` |
//! | A web page speaks to a server on this machine (RUSTSEC-2026-0189) | a token, and the address that was asked for | `tests/serve_http.rs`: `only_who_has_the_token_and_the_right_address_gets_in` |
//! | A model file whose numbers overflow (CVE-2026-27940, CVE-2026-33298) | the header is read by walden first, and loaded inside the seal | `src/model/llama/gguf/tests.rs`: `what_the_engine_would_die_of_is_refused_with_its_reason`; `tests/model_files.rs`: `no_number_of_the_metadata_kills_the_engine` |
//! | Text that acts on the terminal: links, the clipboard, titles | one door, and a screen that writes its own sequences alone | `src/tui/hostile_tests.rs`: `no_text_of_anybody_else_reaches_the_terminal_as_a_control`; `src/compose/panicking.rs`: `a_panic_says_what_happened_without_what_acts_on_the_terminal` |
//! | Letters that cannot be seen carry orders | they are shown by their numbers | `src/protocol/text.rs`: `what_cannot_be_seen_is_made_visible`; `src/mcp/tests/pins.rs`: `everything_that_a_model_could_read_is_shown_and_nothing_stays_hidden` |
//! | A picture or a link in an answer that carries data out | answers are drawn as text, and nothing is fetched | `src/tui/hostile_tests.rs`: `no_text_of_anybody_else_reaches_the_terminal_as_a_control` |
//! | A memory server that writes any file | one file, in walden's state folder | `src/servers/memory/tests/file.rs`: `only_a_memory_file_can_be_named`; `src/servers/memory/tests/compact.rs`: `what_is_recalled_can_neither_hide_nor_pretend` |
//! | Sockets of this machine: containers, the session bus, keys | no socket of any family | `tests/sandbox.rs`: `every_way_out_is_refused_by_the_kernel` |
//! | The way from a Linux guest to its Windows host (AF_VSOCK) | no socket of any family | `tests/sandbox.rs`: `every_way_out_is_refused_by_the_kernel` |
//! | Edits inside the project that nobody is asked about, of what is run later | such files are a class of their own, asked about in every mode | `tests/attacks.rs`: `an_obeyed_order_takes_no_effect_without_a_question_that_tells_the_truth`; `tests/cve.rs`: `what_agents_and_builds_obey_is_asked_about_under_any_name` |
//! | git: `.git` or `commondir` elsewhere | refused | `src/servers/git/tests/hostile.rs`: `a_git_folder_elsewhere_is_refused`; `src/servers/git/tests/hostile.rs`: `a_common_folder_elsewhere_is_refused` |
//! | git: `core.worktree` elsewhere, read and written | refused | `src/servers/git/tests/hostile.rs`: `a_work_tree_elsewhere_is_refused` |
//! | git: borrowed objects elsewhere | refused | `src/servers/git/tests/hostile.rs`: `borrowed_objects_from_elsewhere_are_refused` |
//! | git: included settings elsewhere | refused | `src/servers/git/tests/hostile.rs`: `included_settings_from_elsewhere_are_refused` |
//! | git: staged through a symlinked folder | only bytes that were read beneath the root are staged | `src/servers/git/tests/hostile.rs`: `only_files_of_the_repository_are_staged` |
//! | git: trees with `..`, `.git`, `.GIT`, `git~1` and hidden letters | not checked out | `src/servers/git/tests/hostile.rs`: `a_tree_with_a_treacherous_name_is_not_checked_out`; `src/servers/git/tests/hostile.rs`: `nothing_is_written_through_a_symlinked_folder` |
//! | git: a repository of another user | refused | `src/servers/git/tests/hostile.rs`: `a_repository_of_another_user_is_refused` |
//! | git: hooks, filters, fsmonitor, difference programs | none is run | `src/servers/git/tests/hostile.rs`: `nothing_that_a_repository_names_is_run` |
//!
//! # What is not promised
//!
//! - **Modes, times and attributes** of the user's own files elsewhere can be changed by walden itself and by a project's
//!   check (not by third-party servers): Landlock does not bound them, and compilers and package managers need the calls.
//!   `walden sandbox prove` shows it as `holds for programs`. Likewise, that a file exists and how large it is can be
//!   learned where its folder can be searched.
//! - **`walden sandbox prove`** attempts what is to be refused, sockets among it, by the numbers of the system calls: it is
//!   the one code of a walden without `net` that does, and it runs for that command alone.
//! - **The system's files** under `/usr`, `/etc`, `/proc` and the like can be read, and so can the folders of toolchains
//!   and of the `PATH`.
//! - **Written from the inside, taken out by others**: names and contents inside the roots leave the machine when the user
//!   pushes them; time and processor load can be observed by other programs.
//! - **A check runs the project's code**, with its own copy to write in. What it computes is the project's word.
//! - **As root** the system's secrets (`/etc/shadow`) can be read. The capabilities that reach into other processes, the
//!   network's settings and the kernel are given up, and other processes' environments are out of reach.
//! - **Containers** are as tight as their runtime makes them: walden says what is to be granted, and the kernel's part is the
//!   runtime's. Their keepers are not sealed, for a runtime cannot work in a seal; a session that was taken over could
//!   start such a container again, which it may anyway, and no other. An image that is named by a tag can be another one tomorrow; one that is named by its digest cannot.
//! - **Secrets** are known by the name of their file or by a form of their own. A password in an ordinary source file, or in
//!   what a third-party server says, has neither.
//! - **A git folder that was granted** to a repository (`[git.folders]`) is git's to read and write there.
//! - **Graphics cards**: the driver's devices are open to a walden that was built for them, and what a driver does with
//!   them is its own affair. Under `--no-seal` nothing of this page holds.
//! - **An audit log that was written anew as a whole**, or cut at its end: a chain cannot tell. Note the head that
//!   `walden audit verify` prints.
//! - **`walden model pull`, `walden doctor` and the like** are not sealed: they run no model on any code.
//!   `walden serve` has no network either, unless `--http` asks for it; its files are bounded by its roots in the
//!   program, and by the kernel only with `--ignore-client-roots`: a client may name others. `walden serve chat`
//!   has no files to give: the kernel keeps it to the model's and to walden's own.
//! - **Which server a connection is for**, the process with the model says. The broker enforces what is allowed to all
//!   together; that one server leads nowhere but where its own entry says is enforced beside it, in the worker. A token for
//!   each server, handed to the worker, would be no tighter: a server is on another machine and never speaks to the
//!   broker, everything that goes out for it passes the one connection that is bounded to its list, and a worker that was
//!   taken over would hold every token.
//! - **Case-folding file systems** are judged by the names that they take for one, not by asking them. Letters that can be
//!   written in two ways (`é`) are two names to a rule and may be one to the file system.
//! - **macOS and Windows**: none of this is built there yet.
//!
//! # Which kernel
//!
//! Linux 6.2 (Landlock 3) for the files, 6.7 for the second lock on ports, 6.12 (Landlock 6) to keep signals in; seccomp
//! everywhere. No namespaces are needed, so that distributions which forbid them to users are as good as others.
