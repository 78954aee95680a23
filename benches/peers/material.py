"""What is searched: trees, a repository and graphs, the same bytes every time, made once and kept."""

import json
import os
import random
import subprocess
import time

# The files of a tree: as many as in ripgrep, cargo and a kernel.
TREES = {"small": 220, "medium": 3_000, "huge": 78_000}
# The entities of a graph.
GRAPHS = {"small": 1_000, "medium": 10_000, "huge": 100_000}
# The files and commits of the repository.
REPOSITORY = (3_000, 5_000)

RARE = "NeedleInTheHay"
NAMED = "config"
VERSION = "3"

ENDINGS = [".rs"] * 6 + [".c", ".h", ".py", ".md", ".toml", ".txt"]
NOUNS = "buffer index server client token parser config value state entry record table frame queue worker".split()
VERBS = "read write open close parse build find merge split send take keep drop move check".split()


def once(path, make):
    """Makes a folder with `make` unless a whole one of this version is there."""
    mark = path + ".made"
    if os.path.exists(mark) and open(mark).read() == VERSION:
        return path
    subprocess.run(["rm", "-rf", path], check=True)
    os.makedirs(path)
    make(path)
    with open(mark, "w") as file:
        file.write(VERSION)
    return path


def name(source):
    return f"{source.choice(VERBS)}_{source.choice(NOUNS)}"


def code(source, lines):
    """Text as code has it: short lines, many of them alike."""
    text = []
    while len(text) < lines:
        text.append(f"/// Asks the {source.choice(NOUNS)} to {source.choice(VERBS)} its {source.choice(NOUNS)}.")
        text.append(f"pub fn {name(source)}_{source.randrange(1000)}(&self, limit: usize) -> Result<(), Error> {{")
        for _ in range(source.randint(2, 14)):
            text.append(f"    let {source.choice(NOUNS)} = self.{name(source)}({source.randrange(100)})?;")
        text += ["    Ok(())", "}", ""]
    return "\n".join(text[:lines]) + "\n"


def paths_of(source, files):
    """Paths as projects have them: about twelve files in a folder, folders up to six deep."""
    folders = [""]
    paths = []
    for number in range(files):
        if number % 12 == 0:
            parent = source.choice(folders[-200:])
            if parent.count("/") >= 5:
                parent = ""
            folders.append(f"{parent}{source.choice(NOUNS)}{len(folders)}/")
        paths.append(f"{folders[-1]}{name(source)}_{number}{source.choice(ENDINGS)}")
    return paths


def make_tree(root, files):
    """Lays a tree of sources with a `.gitignore`; one file in fifty has the rare word, one in thirty is left out."""
    source = random.Random(files)
    # Texts of 10 to 900 lines; a file is one of them with lines of its own.
    texts = [code(source, min(900, int(source.lognormvariate(4.6, 0.8)) + 10)) for _ in range(300)]
    for number, path in enumerate(paths_of(source, files)):
        text = source.choice(texts)
        if number % 50 == 7:
            text += f"fn uses() {{ {RARE}::new({number}) }}\n"
        if number % 30 == 11:
            path = "build/" + path
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(f"// {path[len(root):]}\n{text}")
    with open(os.path.join(root, ".gitignore"), "w") as file:
        file.write("/build/\n*.log\n")
    # rg heeds `.gitignore` in a repository only.
    subprocess.run(["git", "init", "--quiet", root], check=True)


def tree(beneath, size):
    return once(os.path.join(beneath, f"tree-{size}"), lambda root: make_tree(root, TREES[size]))


def make_repository(root):
    """Makes a repository by `git fast-import`: one file changes in each tenth commit, and there are merges and moves."""
    files, commits = REPOSITORY
    source = random.Random(5)
    paths = paths_of(source, files)
    texts = {path: code(source, 60) for path in paths}
    # The one whose lines are asked for: it is long, and many commits have touched it.
    blamed = paths[0]
    texts[blamed] = code(source, 1_200)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", root], check=True)
    out = []

    def data(text):
        raw = text.encode()
        out.append(b"data %d\n%s\n" % (len(raw), raw))

    def commit(branch, number, message, parents=()):
        author = f"Author {number % 20} <author{number % 20}@localhost> {1_600_000_000 + number * 3_600} +0000"
        out.append(f"commit refs/heads/{branch}\nmark :{number + 1}\n".encode())
        out.append(f"author {author}\ncommitter {author}\n".encode())
        data(message)
        words = ["from", "merge"]
        for word, parent in zip(words, parents):
            out.append(f"{word} :{parent + 1}\n".encode())

    def write(path):
        out.append(f"M 100644 inline {path}\n".encode())
        data(texts[path])

    commit("main", 0, "the beginning\n")
    for path in paths:
        write(path)
    last = 0
    number = 1
    while number < commits:
        if number % 97 == 0 and number + 2 < commits:
            # A branch of one commit, and its merge.
            commit("side", number, f"side: {name(source)}\n", (last,))
            write(change(source, texts, paths[source.randrange(1, len(paths))]))
            commit("main", number + 1, f"merge {name(source)}\n", (last, number))
            last = number + 1
            number += 2
            continue
        commit("main", number, f"{source.choice(NOUNS)}: {name(source)} {number}\n\nBecause of it.\n", (last,))
        if number % 10 == 0:
            write(change(source, texts, blamed))
        for _ in range(source.randint(1, 3)):
            write(change(source, texts, source.choice(paths[1:])))
        if number % 200 == 150:
            old = source.choice(paths[1:])
            new = old.rsplit("/", 1)[0] + f"/moved_{number}.rs"
            paths[paths.index(old)] = new
            texts[new] = texts.pop(old)
            out.append(f"R {old} {new}\n".encode())
        last = number
        number += 1
    subprocess.run(["git", "-C", root, "fast-import", "--quiet"], input=b"".join(out), check=True)
    # As a clone comes from a server: the packs of `fast-import` are such as nobody has.
    subprocess.run(["git", "-C", root, "repack", "-adfq"], check=True)
    subprocess.run(["git", "-C", root, "gc", "--quiet"], check=True)
    subprocess.run(["git", "-C", root, "reset", "--quiet", "--hard", "main"], check=True)
    with open(os.path.join(root, "..", "repository.blamed"), "w") as file:
        file.write(blamed)
    # What is not committed: ten files changed, three new.
    for path in paths[5:15]:
        with open(os.path.join(root, path), "a") as file:
            file.write("// not committed\n")
    for number in range(3):
        with open(os.path.join(root, f"new{number}.rs"), "w") as file:
            file.write("fn new() {}\n")
    # A file as young as the index is read again and again, by git and libgit2 alike.
    time.sleep(1.5)
    subprocess.run(["git", "-C", root, "update-index", "--refresh", "-q"], stdout=subprocess.DEVNULL, check=False)


def change(source, texts, path):
    lines = texts[path].splitlines()
    at = source.randrange(len(lines))
    lines[at] = f"    let {source.choice(NOUNS)} = {name(source)}({source.randrange(10_000)});"
    texts[path] = "\n".join(lines) + "\n"
    return path


def repository(beneath):
    """Returns the repository, and the file in it that many commits have touched."""
    root = once(os.path.join(beneath, "repository"), make_repository)
    with open(os.path.join(beneath, "repository.blamed")) as file:
        return root, file.read()


def make_graph(path, entities):
    """Writes a memory file with one relation for each entity."""
    source = random.Random(2)

    def words():
        return " ".join(f"{source.choice(VERBS)} {source.choice(NOUNS)} {source.randrange(10_000)}" for _ in range(3))

    def line(**fields):
        return json.dumps(fields, separators=(",", ":"))

    lines = []
    for number in range(entities):
        facts = [words(), words()]
        if number % 1_000 == 7:
            facts.append(f"it has the {RARE}")
        lines.append(line(type="entity", name=f"entity {number}", entityType="thing", observations=facts))
    for number in range(entities):
        to = f"entity {source.randrange(entities)}"
        lines.append(line(type="relation", **{"from": f"entity {number}", "to": to, "relationType": "leads to"}))
    with open(path, "w") as file:
        file.write("\n".join(lines))
