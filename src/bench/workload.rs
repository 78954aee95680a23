//! What a bench asks of a model: made up here, so that each run asks the same.

use std::fmt::Write as _;

use serde_json::json;

use crate::protocol::{
    GenerationId, Lane, Message, ModelRequest, Passages, Risk, Sampling, ToolChoice, ToolSpec,
};

/// A request for text, drawn greedily.
pub(super) fn request(messages: Vec<Message>, max_tokens: u32) -> ModelRequest {
    ModelRequest {
        id: GenerationId(1),
        messages,
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        sampling: Sampling {
            max_tokens,
            ..Sampling::default()
        },
        passages: Vec::new(),
        known: Vec::new(),
        lane: Lane::Main,
        unlisted: 0,
        doubts: None,
    }
}

pub(super) fn system() -> Message {
    Message::System {
        text: "You are a careful programmer. Answer briefly.".to_owned(),
    }
}

fn user(text: String) -> Message {
    Message::User { text }
}

/// What the user says in a turn of the session, and what a tool returned before it.
pub(super) fn turn(turn: usize) -> Vec<Message> {
    let question = user(format!(
        "Turn {turn}: what does function number {turn} of this file return for an empty list?"
    ));
    let start = turn * 8;
    let text: String = file()
        .lines()
        .skip(start)
        .take(8)
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        });
    vec![
        question,
        Message::Assistant {
            raw: "I read the file first.".to_owned(),
        },
        Message::Tool {
            name: "read".to_owned(),
            text,
        },
    ]
}

/// A long prompt and a short answer.
pub(super) fn long(lines: usize) -> ModelRequest {
    let text = (0..lines).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "Line {n} of the log says that worker {} is idle.",
            n % 7
        );
        text
    });
    request(vec![system(), user(text)], 1)
}

/// What eight clients ask, who all have the same system text.
pub(super) fn clients(max_tokens: u32) -> Vec<ModelRequest> {
    let subjects = [
        "a hash table",
        "a binary search tree",
        "quicksort",
        "a bloom filter",
        "a linked list",
        "garbage collection",
        "a compiler",
        "a file system",
    ];
    let asked = subjects.map(|subject| {
        let text = format!("Explain in three paragraphs how {subject} works and when it is slow.");
        let mut request = request(vec![system(), user(text)], max_tokens);
        request.lane = Lane::Client;
        request
    });
    asked.into()
}

/// Answers that copy, and answers that do not: their names, and whether they edit.
pub(super) fn ahead() -> Vec<(&'static str, ModelRequest, bool)> {
    let about = |text: &str| request(vec![system(), user(text.to_owned())], 200);
    let with_file = |task: &str| {
        let text = format!("```python\n{}```\n\n{task}", file());
        request(vec![system(), user(text)], 1000)
    };
    vec![
        (
            "a rename",
            with_file(
                "Rename the function `total` to `sum_of_prices` everywhere in this file. Write out the whole file.",
            ),
            true,
        ),
        (
            "comments",
            with_file("Add a docstring to each function. Write out the whole file."),
            true,
        ),
        ("an edit as a call", edit(), true),
        (
            "new code",
            about("Write a Python class for a least recently used cache, with tests."),
            false,
        ),
        (
            "prose",
            about("Explain how a hash table works and when it is slow, in three paragraphs."),
            false,
        ),
    ]
}

/// An edit of a function, as a call of the tool that edits.
fn edit() -> ModelRequest {
    let task = format!(
        "This is `shop.py`:\n\n{}\nIn the function `report`, rename the variable `lines` to `rows`: replace all of the \
         function.",
        file()
    );
    let mut request = request(vec![system(), user(task)], 600);
    request.tools = tools();
    request.choice = ToolChoice::Required {
        names: vec!["edit".to_owned()],
    };
    request.passages = vec![Passages {
        path: "shop.py".to_owned(),
        text: file().into(),
    }];
    request
}

/// Requests that are answered by a call.
pub(super) fn calls() -> Vec<ModelRequest> {
    let tasks = [
        ("Read lines 10 to 40 of `src/main.rs`.", "read"),
        ("Find all files whose name ends in `.toml`.", "find"),
        ("Search for `fn main` below `src`.", "search"),
        (
            "Create `NOTES.md` with a short title and two points about caching.",
            "write",
        ),
        ("Read `Cargo.toml`.", "read"),
        ("Search for the word TODO.", "search"),
        (
            "Create `hello.py`, a program that greets the name given to it.",
            "write",
        ),
        ("Find the file that configures clippy.", "find"),
    ];
    let mut requests: Vec<ModelRequest> = tasks
        .into_iter()
        .map(|(task, name)| {
            let mut request = request(vec![system(), user(task.to_owned())], 200);
            request.tools = tools();
            request.choice = ToolChoice::Required {
                names: vec![name.to_owned()],
            };
            request
        })
        .collect();
    let mut edit = edit();
    edit.sampling.max_tokens = 200;
    requests.insert(2, edit);
    requests
}

fn tools() -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    let count = json!({"type": "integer", "minimum": 1});
    [
        (
            "read",
            json!({"path": text, "from": count, "lines": count}),
            vec!["path"],
        ),
        ("find", json!({"pattern": text}), vec!["pattern"]),
        (
            "search",
            json!({"pattern": text, "path": text}),
            vec!["pattern"],
        ),
        (
            "edit",
            json!({"path": text, "old": text, "new": text}),
            vec!["path", "old", "new"],
        ),
        (
            "write",
            json!({"path": text, "content": text}),
            vec!["path", "content"],
        ),
    ]
    .into_iter()
    .map(|(name, properties, required)| ToolSpec {
        server: "fs".to_owned(),
        name: name.to_owned(),
        tool: name.to_owned(),
        description: String::new(),
        schema: json!({"type": "object", "properties": properties, "required": required}),
        risk: Risk::Edit,
        previews: false,
    })
    .collect()
}

/// A Python file of about eighty lines, in which one name is used in many places.
fn file() -> String {
    let mut text = "\"\"\"Orders of a shop.\"\"\"\n\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Item:\n    \
        name: str\n    price: int\n    count: int = 1\n\n\ndef total(items):\n    result = 0\n    for item in items:\n        \
        result += item.price * item.count\n    return result\n\n\ndef cheapest(items):\n    if not items:\n        \
        return None\n    return min(items, key=lambda item: item.price)\n\n\ndef discounted(items, percent):\n    \
        full = total(items)\n    return full - full * percent // 100\n\n\ndef is_free_of_shipping(items, limit=5000):\n    \
        return total(items) >= limit\n\n\ndef report(items):\n    lines = []\n    for item in items:\n        \
        lines.append(f\"{item.count} x {item.name}: {item.price}\")\n    lines.append(f\"total: {total(items)}\")\n    \
        return \"\\n\".join(lines)\n\n\n"
        .to_owned();
    for (name, what) in [
        ("average", "len(items)"),
        ("per_person", "4"),
        ("per_day", "30"),
    ] {
        let _ = write!(
            text,
            "def {name}(items):\n    if not items:\n        return 0\n    amount = total(items)\n    parts = {what}\n    \
             return amount / parts\n\n\n"
        );
    }
    text.push_str(
        "def main():\n    items = [Item(\"tea\", 450, 2), Item(\"cup\", 1200), Item(\"spoon\", 300, 6)]\n    \
         print(report(items))\n    print(total(items), average(items), per_person(items), per_day(items))\n    if \
         is_free_of_shipping(items):\n        print(\"free shipping\")\n    else:\n        \
         print(\"shipping is added to\", total(items))\n\n\nif __name__ == \"__main__\":\n    main()\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_the_workloads_say_of_it() {
        let file = file();
        assert!(
            (75..=90).contains(&file.lines().count()),
            "{}",
            file.lines().count()
        );
        assert!(file.matches("total(").count() >= 8);
        for turn_number in 0..10 {
            assert!(
                matches!(&turn(turn_number)[2], Message::Tool { text, .. } if !text.is_empty())
            );
        }
    }
}
