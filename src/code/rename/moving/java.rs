//! Moving a class of Java that only its own package sees to another file of that package.
//!
//! A public class has to stand in the file of its name. One without `public` may stand in any file of its package, and the
//! package's files see it wherever it stands: nothing changes but what the two files import.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::super::role::code_before;
use super::names::{Code, at_end, folder};
use super::text::{Edits, line_end, take_out, whole};
use super::{Move, MoveError, Scene};

/// What belongs to the item below it.
const BELONGS: &[&str] = &["line_comment", "block_comment"];

const TYPES: &[&str] = &[
    "class_declaration",
    "interface_declaration",
    "enum_declaration",
    "record_declaration",
    "annotation_type_declaration",
];

/// What a file imports.
struct Import<'a> {
    node: Node<'a>,
    /// As it is written, without `import` and the semicolon.
    what: String,
}

impl Import<'_> {
    /// Returns the name that it brings; `None` where it brings all that there is.
    fn name(&self) -> Option<&str> {
        self.what
            .rsplit('.')
            .next()
            .map(str::trim)
            .filter(|name| *name != "*")
    }
}

pub(super) fn plan(scene: &Scene<'_>) -> Result<Move, MoveError> {
    let name = scene.target.name.as_str();
    let (old, new) = (scene.from.path.as_str(), scene.to.path.as_str());
    let (from, to) = scene.codes();
    let not_certain = |why: String| scene.not_certain(why);
    let taken = |word: &str| scene.taken(word);
    let types = |code: Code<'_>| {
        code.top()
            .into_iter()
            .filter(|node| TYPES.contains(&node.kind()))
            .count()
    };
    let item = from
        .top()
        .into_iter()
        .find(|node| node.byte_range().contains(&scene.at) && TYPES.contains(&node.kind()))
        .ok_or_else(|| MoveError::NotAtTop {
            name: name.to_owned(),
        })?;
    let mut cursor = item.walk();
    let modifiers = item
        .children(&mut cursor)
        .find(|child| child.kind() == "modifiers");
    let is_public = modifiers.is_some_and(|node| {
        from.at(node)
            .split_whitespace()
            .any(|word| word == "public")
    });
    if is_public {
        return Err(not_certain(format!(
            "it is `public`, and has to stand in `{name}.java`; move that file instead"
        )));
    }
    if types(from) < 2 {
        return Err(not_certain(format!(
            "it is all that `{old}` has; move that file instead"
        )));
    }
    let package = |code: Code<'_>| {
        let node = code
            .top()
            .into_iter()
            .find(|node| node.kind() == "package_declaration");
        node.map(|node| code.at(node).split_whitespace().collect::<String>())
    };
    if folder(old) != folder(new) || package(from) != package(to) {
        return Err(not_certain(format!(
            "`{old}` and `{new}` are not of one package, and another one does not see it; choose a file of its package"
        )));
    }
    if to.defined(None).contains(name) {
        return Err(taken(name));
    }

    let piece = whole(item, from.text, BELONGS);
    // What stands after a dot is a member, which no import brings but a static one of what stands before.
    let used = from.free_names(|leaf| !code_before(from.text, leaf).ends_with('.'));
    let (has, known) = (imports(from), imports(to));
    let in_import = |at: usize| has.iter().any(|one| one.node.byte_range().contains(&at));
    let stands = |word: &str, keep: &dyn Fn(usize) -> bool| {
        let places = used.get(word).into_iter().flatten();
        places.filter(|at| !in_import(**at)).any(|at| keep(*at))
    };
    let is_inside = |at: usize| piece.contains(&at);
    let whole_ones = |all: &[Import<'_>]| -> Vec<String> {
        let mut found: Vec<String> = all
            .iter()
            .filter(|one| one.name().is_none())
            .map(|one| one.what.clone())
            .collect();
        found.sort();
        found
    };
    if whole_ones(&has) != whole_ones(&known) {
        return Err(not_certain(format!(
            "`{old}` and `{new}` import other packages as a whole (`.*`), so that names may mean other things; import by \
             name first"
        )));
    }
    let mut here = Edits::default();
    let mut lines = String::new();
    for word in used.keys().copied() {
        if word == name || !stands(word, &is_inside) {
            continue;
        }
        let mine: Vec<&Import<'_>> = has.iter().filter(|one| one.name() == Some(word)).collect();
        let theirs: Vec<&Import<'_>> = known
            .iter()
            .filter(|one| one.name() == Some(word))
            .collect();
        if mine.is_empty() && !theirs.is_empty() {
            // Here it is a class of the package, or of the language.
            return Err(taken(word));
        }
        for import in mine {
            if !stands(word, &|at| !is_inside(at)) {
                let start = from.text[..import.node.start_byte()]
                    .rfind('\n')
                    .map_or(0, |at| at + 1);
                here.replace(start..line_end(from.text, import.node.end_byte()), "");
            }
            if theirs.iter().any(|known| known.what == import.what) {
                continue;
            }
            if !theirs.is_empty() || to.defined(None).contains(word) {
                return Err(taken(word));
            }
            lines.push_str(&format!("import {};\n", import.what));
        }
    }
    let mut there = Edits::default();
    let moved = from.text[piece.clone()].trim_end().to_owned();
    take_out(&mut here, from.text, &piece);
    if !lines.is_empty() {
        let top = to.top();
        let after = |kind: &str| top.iter().rfind(|node| node.kind() == kind);
        match (after("import_declaration"), after("package_declaration")) {
            (Some(last), _) => there.insert(line_end(to.text, last.end_byte()), lines),
            (None, Some(package)) => {
                there.insert(line_end(to.text, package.end_byte()), format!("\n{lines}"));
            }
            (None, None) => there.insert(0, format!("{lines}\n")),
        }
    }
    there.insert(to.text.len(), at_end(to.text, &moved));
    let is_beside = |path: &str| path != old && path != new && folder(path) == folder(old);
    let mut unsure = Vec::new();
    if stands(name, &|at| !is_inside(at))
        || scene.project.sources.iter().any(|one| is_beside(&one.path))
    {
        let why = "other files use it, and find it there only where the whole package is compiled together";
        unsure.push(super::super::sight(old, from.text, scene.at, why));
    }
    Ok(Move {
        from: old.to_owned(),
        files: BTreeMap::from([
            (old.to_owned(), here.apply(from.text)),
            (new.to_owned(), there.apply(to.text)),
        ]),
        passed_on: false,
        unsure,
    })
}

fn imports<'a>(code: Code<'a>) -> Vec<Import<'a>> {
    let top = code
        .top()
        .into_iter()
        .filter(|node| node.kind() == "import_declaration");
    top.map(|node| {
        let text = code
            .at(node)
            .trim_start_matches("import")
            .trim_end_matches(';');
        Import {
            node,
            what: text.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    })
    .collect()
}
