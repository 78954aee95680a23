# what a file must do that is written from nothing: run, keep its names, hold to the examples of the request
import ast, builtins, dis, hashlib, itertools, json, keyword, random, re, runpy, signal, sys, traceback, types, warnings

# Seconds of work that the file's own statements may take, and one call.
LONGEST = 1.5
LONGEST_CALL = 0.5
# How many calls are compared, how many of them are as they were written, if there are variants, and how many are objects.
CALLS = 8
WRITTEN = 5
OBJECTS = 2
# How often an object of the file is used, how many of its methods are called each time, and what they are given.
USES = 4
STEPS = 16
GIVEN = (1, 2, 3)
# After so many calls that ran for ever no more are made.
MOST_ENDLESS = 4
# The longest result that is told in words.
LONGEST_TOLD = 160
# What a call that ends so tells of nothing but a mistake.
CRASHES = (NameError, TypeError, AttributeError, IndexError, KeyError, ZeroDivisionError, RecursionError)

# What closes what.
BRACKETS = {"(": ")", "[": "]", "{": "}"}

# What comes of text that is no value or no code: `{[1]}` is a mistake of types.
NO_VALUE = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)

# The longest line of the request that is looked at.
LONGEST_SAID = 400
# What stands between a call and what it gives, between a value and what becomes of it, and after a value.
ARROW = r"\s(?:->|=>|→)\s"
GIVES = r"\s*(?:==|->|=>|→|#|returns|should return|gives|should give|is|should be)\s+"
VALUE_ENDS = (
    r"\s*(?:$|\.(?:\s|$)|[,;)#(]|->|=>|→|"
    r"(?:and|or|but|while|because|for|not|instead|rather|which|where|when|if|expected)\b)"
)
# What is given, and what was meant to be: `f(1) gives 3, but should give 2`, `f(1) gives 3 instead of 2`.
MEANT = (
    r"[,;.]?\s*(?:instead of|rather than|expected|"
    r"(?:(?:but|and|it|which|where|that)\s+)*(?:should|must)(?:\s+(?:be|return|give|yield))?)\s+"
)

# What a sentence says that wants something to be written, and one that leaves it open or forbids it.
WRITES = r"(?s)\bimplement(?:s|ed|ing)?\b|^(?=.*\b(?:write|add|define|provide|create))(?=.*\b(?:method|function|propert))"
LEAVES_OPEN = r"\b(?:might|may|could|can|optional\w*|recommend\w*|don't|not|never|without|instead|already)\b"
# Where a sentence ends, and what stands before names in it that are to be written: "add `a`, `b()` and `c`". What is for
# something, with it or a kind of it (`c` files) is only spoken of.
SENTENCE_END = r"(?<=[.:!?;])\s+|\n(?=[ \t\r]*(?:\n|[-*#]))"
NAME = r"`[a-z]\w*(?:\(\))?`"
ALSO = r"(?:,\s*(?:(?:and|or)\s*)?|\s+(?:and|or)\s*)"
NAMES = (
    r"\b(?:(?:implement|write|add|defin|provid|creat|method|function|propert)\w*|your|called|named|both)\s+"
    rf"({NAME}(?:{ALSO}{NAME})*)(?!{ALSO}`|\s+(?:flag|mode|file|type|argument|option|parameter|keyword|format|support))"
)

tried = 0
failures = []
# The words of the request, and of the file as it was.
spoken_of = set()


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


def methods(value):
    """Lists the methods of an object that the request or the code before names, with how many values each needs."""
    for name in sorted(spoken_of):
        member = vars(type(value)).get(name)
        if isinstance(member, types.FunctionType) and not name.startswith("_"):
            yield name, max(0, member.__code__.co_argcount - 1 - len(member.__defaults__ or ()))


def after(step):
    try:
        return shown(step())
    except TimeoutError:
        raise
    except Exception as error:
        return type(error).__name__


def held(value):
    """Shows what an object tells of itself: its length, what it is made of, and the properties that are named."""
    kind = vars(type(value))
    views = [lambda: len(value)] if "__len__" in kind else []
    views += [lambda: list(itertools.islice(value, 100))] if "__iter__" in kind else []
    named = [name for name in sorted(spoken_of) if isinstance(kind.get(name), property)]
    views += [lambda name=name: getattr(value, name) for name in named]
    return [after(view) for view in views]


def life(make):
    """Tells what becomes of objects whose methods are called one after the other, in an order that is always the same.

    What an object is says nothing of it. Nothing is told where all is a mistake, or `None`.
    """
    one = make()
    callable_on = list(methods(one))
    told = held(one)
    for use in range(USES if callable_on else 0):
        draw, one = random.Random(use), make()
        for _ in range(STEPS):
            name, needed = draw.choice(callable_on)
            given = [draw.choice(GIVEN) for _ in range(needed)]
            told += [after(lambda: getattr(one, name)(*given)), *held(one)]
    nothing = {"None", *(error.__name__ for error in CRASHES)}
    return repr(told) if set(told) - nothing else ""


def outcome(expression, names):
    """Returns what a call gives in words, what tells it from what it gives otherwise, and whether it is a mistake."""

    def make():
        return eval(expression, dict(names))

    def made():
        value = make()
        is_own = type(value).__module__ == names["__name__"]
        text = shown(value)
        if isinstance(value, types.GeneratorType):
            # It does nothing before it is gone through.
            return text, f"one by one: {text}"
        is_bare = is_own and type(value).__repr__ is object.__repr__
        return text, ("" if is_bare else text) + (life(make) if is_own else "")

    try:
        return *limited(made, LONGEST_CALL), False
    except CRASHES as error:
        return f"{type(error).__name__}: {error}", "", True
    except Exception as error:
        text = f"raises {type(error).__name__}: {error}"
        return text, text, False


def crash(path, expression, names):
    """Says how a call ends in a mistake, and at which line of the file."""
    try:
        limited(lambda: shown(eval(expression, dict(names))), LONGEST_CALL)
    except BaseException as error:
        lines = [frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        at = f" at `{lines[-1]}`" if lines and lines[-1] else ""
        return f"{expression} ends in {type(error).__name__}: {error}{at}"
    return f"{expression} ends in a mistake"


def literal(text):
    """Reads the value that a text begins with, and returns it with what comes after. A value that words go on from is none."""
    for end in range(1, len(text) + 1):
        part, rest = text[:end].strip(), text[end:]
        if not part or not re.match(VALUE_ENDS, rest):
            continue
        try:
            return ast.literal_eval(part), rest
        except NO_VALUE:
            continue
    return None


def literal_before(text):
    """Reads the value that a text ends with."""
    for start in range(len(text) - 1, -1, -1):
        if start and text[start - 1] not in " ,;:":
            continue
        try:
            return [ast.literal_eval(text[start:].strip())]
        except NO_VALUE:
            continue
    return []


def said_lines(request):
    lines = [line.strip().removeprefix("- ").removeprefix("* ") for line in request.replace("`", "").splitlines()]
    return [line[:LONGEST_SAID] for line in lines]


def call_in(text, functions):
    """Reads the call that a text begins with. One of something that is only spoken of, as in `f(x)`, is none."""
    for found in re.finditer(r"\)", text):
        call = text[: found.end()]
        try:
            tree = ast.parse(call, mode="eval").body
            if isinstance(tree, ast.Call):
                spoken = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
                return call if all(name in functions for name in spoken) else None
        except NO_VALUE:
            continue
    return None


def examples(request, functions):
    """Finds calls in the request that say what they give: `f(1) == 2`, `f(0) raises ValueError`, `>>> f(1)` above its value.

    Each comes with whether it is said to be a wish: what is told of code with a fault may be the fault.
    """
    lines = said_lines(request)
    called = "|".join(map(re.escape, functions))
    for at, line in enumerate(lines):
        for found in re.finditer(rf"(?<![\w.])(?:{called})\(", line) if called else []:
            call = call_in(line[found.start() :], functions)
            if call is None:
                continue
            rest = line[found.start() + len(call) :]
            if line[: found.start()] == ">>> " and not rest:
                rest = " == " + (lines[at + 1] if at + 1 < len(lines) else "")
            gives = re.match(GIVES, rest, re.I)
            value = literal(rest[gives.end() :]) if gives else None
            raises = re.match(r"\s*(?:raises|should raise|must raise)\s+(?:an? )?(\w+)", rest, re.I)
            meant = re.match(MEANT, value[1], re.I) if value and "should" not in gives.group().lower() else None
            if meant:
                value = literal(value[1][meant.end() :])
            wished = bool(meant) or any("should" in said.group().lower() for said in (gives, raises) if said)
            if value:
                yield call, shown(value[0]), wished
            elif raises:
                yield call, raises.group(1), wished


def pairs(request):
    """Finds values that are shown with what becomes of them: `"aab" -> "2ab"`, or `Input:` above `Output:`."""
    said = [line for line in said_lines(request) if line]
    for at, line in enumerate(said):
        for found in itertools.islice(re.finditer(ARROW, line), 20):
            value = literal(line[found.end() :])
            for given in literal_before(line[: found.start()]) if value else []:
                yield given, value[0]
        following = said[at + 1] if at + 1 < len(said) else ""
        if line.lower().startswith("input:") and following.lower().startswith("output:"):
            given, value = literal(line[6:].strip()), literal(following[7:].strip())
            if given and value:
                yield given[0], value[0]


def taking_one(defined):
    """Names the functions at a file's margin that one value can be given to."""
    for name, node in defined.items():
        if isinstance(node, ast.FunctionDef):
            takes = len(node.args.posonlyargs) + len(node.args.args)
            needed = takes - len(node.args.defaults)
            if "." not in name and takes and needed <= 1 and None not in node.args.kw_defaults:
                yield name


def standing(text):
    """Returns what code defines that is to be mended, as far as it runs."""
    names = {"__name__": "standing"}
    try:
        limited(lambda: exec(compile(text, "standing", "exec"), names))
    except BaseException:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return names


def holds(call, value, names):
    """Tells whether a call gives a value, or raises an error of that name, and what it gives."""
    got, _, _ = outcome(call, names)
    return got == value or got.removeprefix("raises ").split(":")[0] == value, got


def claim_examples(request, defined, names, stood):
    """Holds the file to the calls that say what they give."""
    offered = [name for name in defined if "." not in name]
    for call, value, wished in itertools.islice(examples(request, offered), 20):
        # What holds of code with a fault is nothing to go by.
        if not wished and stood is not None and holds(call, value, stood)[0]:
            continue
        is_so, got = holds(call, value, names)
        claim(is_so, f"{call}\nExpected: {value}\nGot: {got}")


def claim_pairs(request, defined, names, stood):
    """Holds the file to the values that are shown with what becomes of them. Bare numbers may mean anything else."""
    functions = list(taking_one(defined))
    endless = set()
    for given, value in itertools.islice(pairs(request), 20):
        if not functions or len(functions) > 1 and isinstance(given, (int, float)):
            continue
        gave = {}
        if stood is not None and any(holds(f"{name}({given!r})", shown(value), stood)[0] for name in functions):
            continue
        for name in functions:
            call = f"{name}({given!r})"
            gave[call] = "nothing again" if name in endless else outcome(call, names)[0]
            if "TimeoutError" in gave[call]:
                endless.add(name)
        calls = ", ".join(f"{call} gives {text}" for call, text in gave.items())
        claim(shown(value) in gave.values(), f"{given!r} is to become {value!r}, and {calls}")


def words_in(text):
    return {*re.findall(r"\w+", text)}


def wanted(request, before, path):
    """Finds what the request wants to be written by names that the file does not have: "implement `push` and `pop`".

    Where it names another file, too, they may belong there.
    """
    file = path.rsplit("/", 1)[-1]
    if any(other != file for other in re.findall(r"([\w-]+\.py)\b", request)):
        return
    text = re.sub(r"```.*?(?:```|\Z)", "", request, flags=re.S)
    known = words_in(before) | {*vars(builtins), *getattr(sys, "stdlib_module_names", ()), *keyword.kwlist}
    for sentence in re.split(SENTENCE_END, text):
        if re.search(WRITES, sentence, re.I) and not re.search(LEAVES_OPEN, sentence, re.I):
            for names in re.findall(NAMES, sentence, re.I):
                yield from words_in(names) - known


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
        except NO_VALUE:
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


def mended(call):
    """Reads a call. Of one that was cut off, or closed in the middle, what is whole: `f([1, 2, 3` is `f([1, 2])`."""
    try:
        return ast.parse(call, mode="eval").body
    except NO_VALUE:
        pass
    closers, quote, at_commas, skip = [], "", [], False
    for at, sign in enumerate(call):
        if skip or quote:
            skip, quote = not skip and sign == "\\", "" if sign == quote and not skip else quote
        elif sign in "'\"":
            quote = sign
        elif sign in BRACKETS:
            closers.append(BRACKETS[sign])
        elif sign in BRACKETS.values():
            if not closers or sign != closers.pop():
                break
        elif sign == ",":
            at_commas.append((at, "".join(reversed(closers))))
    for at, close in reversed(at_commas):
        try:
            return ast.parse(call[:at] + close, mode="eval").body
        except NO_VALUE:
            continue
    return None


def objects(call, names):
    """Writes the objects that a call makes on its way: what becomes of them says more than what one method gives."""
    for part in ast.walk(call):
        if part is not call and isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            if isinstance(names.get(part.func.id), type):
                yield ast.unparse(part)


def to_be_made(calls, names):
    """Lists the calls that are made: objects, some of those that were written, then variants of them, then the others."""
    made, written, varied = [], [], []
    for call in calls:
        tree = mended(call)
        if tree is None:
            continue
        for part in tree.elts if isinstance(tree, ast.Tuple) else [tree]:
            written.append(ast.unparse(part))
            if isinstance(part, ast.Call):
                varied.extend(variants(part))
                made.extend(objects(part, names))
    made = list(dict.fromkeys(made))[:OBJECTS]
    first = [*made, *written[: WRITTEN - len(made)], *varied[: CALLS - WRITTEN]]
    return list(dict.fromkeys([*first, *written, *varied]))[:CALLS]


def called(calls, names):
    """Makes the calls. Returns a number for what each gave, 0 where that tells nothing, the words for it, and the mistakes."""
    given, words, mistakes, endless = [], [], [], 0
    for call in to_be_made(calls, names):
        if endless == MOST_ENDLESS:
            given.append(0)
            continue
        text, tells, is_mistake = outcome(call, names)
        endless += "TimeoutError" in text
        mistakes += [call] if is_mistake else []
        given.append(1 + hashlib.sha256(tells.encode()).digest()[0] % 255 if tells else 0)
        is_told = len(text) <= LONGEST_TOLD and text.isprintable()
        words.append(f"{call} gives {text if is_told else '…'}")
    return given + [0] * (CALLS - len(given)), words, mistakes


def main():
    path, asked = sys.argv[1], json.loads(sys.argv[2])
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGVTALRM, too_long)
    given, words, text = [0] * CALLS, [], ""
    spoken_of.update(words_in(asked["request"] + asked["before"]))
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        now = dict(named(ast.parse(text)))
        sys.path.insert(0, "")
        names = limited(lambda: runpy.run_path(path))
        claim(True, "")
        try:
            before = dict(named(ast.parse(asked["before"])))
        except (SyntaxError, ValueError):
            before = {}
        gone = [name for name in before if name not in now]
        claim(not gone, f"{', '.join(gone)} is gone: every name that was there is to stay")
        left = [name for name, node in before.items() if is_stub(node) and name in now and is_stub(now[name])]
        claim(not left, f"{', '.join(left)} is not written yet")
        is_new = any(is_stub(node) for node in before.values())
        for name in sorted({*wanted(asked["request"], asked["before"], path)}) if is_new else []:
            claim(name in words_in(text), f"the request wants {name}, which is nowhere in the file")
        known = {*names, *vars(builtins)}
        if not is_new and before:
            # What code reads that others set, it may go on to read.
            known.update(undefined(compile(asked["before"], path, "exec"), known.copy()))
        missing = sorted(set(undefined(compile(text, path, "exec"), known)))
        claim(not missing, f"NameError: {', '.join(missing)} is used and neither defined nor imported")
        stood = None if is_new else standing(asked["before"])
        claim_examples(asked["request"], now, names, stood)
        claim_pairs(asked["request"], now, names, stood)
        for message in dict.fromkeys(messages(asked["request"])):
            claim(message in text, f"nothing raises an error with the message {message!r}")
        given, words, mistakes = called(asked["calls"], names)
        if is_new and words and len(mistakes) == len(words):
            claim(False, crash(path, mistakes[0], names))
    except BaseException:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        traceback.print_exc(limit=-3)
        claim(False, "")
    print("\n".join(f"error: {failure}" for failure in failures if failure), end="\n\n")
    print(f"Ran {tried} tests")
    print(f"FAILED (failures={len(failures)})" if failures else "OK")
    print("given:", *given)
    # Of what fails, only what the code gives as it stands is of use.
    print("\n".join(words if not failures or text == asked["before"] else []))
    sys.exit(len(failures) > 0)


main()
