# what a file must do that is written from nothing: run, keep its names, hold to the examples of the request
import ast, builtins, copy, dis, hashlib, itertools, json, re, runpy, signal, sys, traceback, types

# Seconds of work that the file's own statements may take, and one call.
LONGEST = 1.5
LONGEST_CALL = 0.5
# How many calls are compared, and how many of them are as they were written, if there are variants.
CALLS = 8
WRITTEN = 5
# After so many calls that ran for ever no more are made.
MOST_ENDLESS = 4
# The longest result that is told in words.
LONGEST_TOLD = 160
# What a call that ends so tells of nothing but a mistake.
CRASHES = (NameError, TypeError, AttributeError, IndexError, KeyError, ZeroDivisionError, RecursionError)

tried = 0
failures = []


def too_long(*_):
    raise TimeoutError("it did not end: something runs for ever")


def limited(work, seconds=LONGEST):
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def claim(holds, text):
    global tried
    tried += 1
    if not holds:
        failures.append(text)


def named(tree, within=""):
    """Names what a file defines: functions, classes and their methods."""
    for node in getattr(tree, "body", []):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield within + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from named(node, f"{within}{node.name}.")


def is_stub(node):
    if isinstance(node, ast.ClassDef):
        return False
    body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    return not body or all(
        isinstance(part, ast.Pass)
        or (isinstance(part, ast.Raise) and "NotImplemented" in ast.dump(part))
        for part in body
    )


def undefined(code, known):
    """Finds names that a function reads and nobody sets: a missing import, mostly."""
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL" and step.argval not in known:
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from undefined(inner, known)


def shown(value):
    if isinstance(value, types.GeneratorType):
        value = list(itertools.islice(value, 100))
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def outcome(expression, names):
    """Returns what a call gives, and whether that tells something."""
    try:
        return shown(limited(lambda: eval(expression, dict(names)), LONGEST_CALL)), True
    except CRASHES as error:
        return f"{type(error).__name__}: {error}", False
    except Exception as error:
        return f"raises {type(error).__name__}: {error}", True


def examples(request, names):
    """Finds calls in the request that say what they give: `f(1) == 2`, `>>> f(1)` above its value, and the like."""
    lines = request.replace("`", "").splitlines()
    for at, line in enumerate(lines):
        bare = line.strip().removeprefix("- ").removeprefix("* ").removeprefix("# ")
        if bare.startswith(">>> "):
            pairs = [(bare[4:], lines[at + 1].strip() if at + 1 < len(lines) else "")]
        else:
            parted = re.split(r"\s+(?:==|=>|->|→|returns|should return|gives)\s+", bare.removeprefix("assert "))
            pairs = [tuple(parted)] if len(parted) == 2 else []
        for call, value in pairs:
            # Words may stand before the call: "Then f(1) returns 2."
            found = re.search(r"[A-Za-z_]\w*\(.*\)$", call)
            call = found.group() if found else call
            value = value.split("  #")[0].rstrip(".;,")
            try:
                tree = ast.parse(call, mode="eval").body
                ast.literal_eval(value)
            except (SyntaxError, ValueError, MemoryError):
                continue
            function = getattr(tree, "func", None)
            if isinstance(tree, ast.Call) and isinstance(function, ast.Name) and function.id in names:
                yield call, value


def messages(request):
    """Finds the messages that the request wants raised, word for word."""
    for code in re.findall(r"^\s*raise \w+\(.*\)$", request, re.M):
        try:
            call = ast.parse(code.strip()).body[0].exc
        except SyntaxError:
            continue
        for part in call.args:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def variants(call):
    """Writes a call with one argument changed: every value of a list twice, a text twice, a number more by one."""
    for at, argument in enumerate(call.args):
        try:
            value = ast.literal_eval(argument)
        except ValueError:
            continue
        if isinstance(value, list) and value:
            other = value + value[::-1]
        elif isinstance(value, str) and value:
            other = f"{value} {value}"
        elif isinstance(value, int) and not isinstance(value, bool):
            other = value + 1
        else:
            continue
        arguments = [*call.args[:at], ast.Constant(other), *call.args[at + 1 :]]
        yield ast.unparse(ast.Call(call.func, arguments, call.keywords))


def to_be_made(calls):
    """Lists the calls that are made: some of those that were written, then variants of them, then the others."""
    written, varied = [], []
    for call in calls:
        try:
            tree = ast.parse(call, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
        for part in tree.elts if isinstance(tree, ast.Tuple) else [tree]:
            written.append(ast.unparse(part))
            if isinstance(part, ast.Call):
                varied.extend(variants(part))
    return list(dict.fromkeys([*written[:WRITTEN], *varied[: CALLS - WRITTEN], *written, *varied]))[:CALLS]


def called(calls, names):
    """Makes the calls, and writes a number for what each gave, 0 for a mistake, with the words for it."""
    given, words, endless = [], [], 0
    for call in to_be_made(calls):
        if endless == MOST_ENDLESS:
            given.append(0)
            continue
        text, tells = outcome(call, names)
        endless += "TimeoutError" in text
        given.append(1 + hashlib.sha256(text.encode()).digest()[0] % 255 if tells else 0)
        is_told = len(text) <= LONGEST_TOLD and text.isprintable()
        words.append(f"{call} gives {text if is_told else '…'}")
    return given + [0] * (CALLS - len(given)), words


def main():
    path, asked = sys.argv[1], json.loads(sys.argv[2])
    signal.signal(signal.SIGVTALRM, too_long)
    given, words = [0] * CALLS, []
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        now = dict(named(ast.parse(text)))
        sys.path.insert(0, "")
        names = limited(lambda: runpy.run_path(path))
        claim(True, "")
        before = dict(named(ast.parse(asked["before"])))
        gone = [name for name in before if name not in now]
        claim(not gone, f"{', '.join(gone)} is gone: every name that was there is to stay")
        left = [name for name, node in before.items() if is_stub(node) and name in now and is_stub(now[name])]
        claim(not left, f"{', '.join(left)} is not written yet")
        missing = sorted(set(undefined(compile(text, path, "exec"), {*names, *vars(builtins)})))
        claim(not missing, f"NameError: {', '.join(missing)} is used and neither defined nor imported")
        for call, value in itertools.islice(examples(asked["request"], names), 20):
            text_of, _ = outcome(call, names)
            claim(text_of == shown(ast.literal_eval(value)), f"{call}\nExpected: {value}\nGot: {text_of}")
        for message in dict.fromkeys(messages(asked["request"])):
            claim(message in text, f"nothing raises an error with the message {message!r}")
        given, words = called(asked["calls"], names)
    except BaseException:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        traceback.print_exc(limit=-3)
        claim(False, "")
    print("\n".join(f"error: {failure}" for failure in failures if failure), end="\n\n")
    print(f"Ran {tried} tests")
    print(f"FAILED (failures={len(failures)})" if failures else "OK")
    print("given:", *given)
    print("\n".join(words))
    sys.exit(len(failures) > 0)


main()
