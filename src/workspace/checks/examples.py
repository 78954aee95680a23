# the examples (>>>) in the strings of Python files
import ast, doctest, os, runpy, signal, sys, traceback

# Seconds of work that the examples of one string, or a file's own statements, may take. What waits instead of working
# is ended by whoever runs this.
LONGEST = 1.5


def too_long(*_):
    raise TimeoutError(f"it did not end within {LONGEST} s: something runs for ever")


def examples(text):
    parser = doctest.DocTestParser()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ">>>" in node.value:
            try:
                if parser.get_examples(node.value):
                    yield node.lineno - 1, node.value
            except ValueError:
                pass  # It looks like an example and is none.


def run(path, text):
    """Returns how many strings were tried, and how many of them fail."""
    strings = list(examples(text))
    if not strings:
        return 0, 0
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    names = runpy.run_path(path)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    failed = 0
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for line, string in strings:
        test = doctest.DocTestParser().get_doctest(string, dict(names), path, path, line)
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
        failed += doctest.DocTestRunner(verbose=False, optionflags=flags).run(test).failed > 0
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return len(strings), failed


def main():
    """Tries each file that is named, as `PATH:EXAMPLES`; fewer examples than it had is a failure."""
    signal.signal(signal.SIGVTALRM, too_long)
    tried = failed = 0
    for path, had in (argument.rsplit(":", 1) for argument in sys.argv[1:]):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            of_file = run(path, text)
        except BaseException:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            traceback.print_exc(limit=-3)
            of_file = 1, 1
        else:
            left = sum(line.lstrip().startswith(">>> ") for line in text.splitlines())
            if left < int(had):
                print(f"error: {path}: {had} examples were there, {left} are left: they are to stay")
                of_file = of_file[0] + 1, of_file[1] + 1
        tried += of_file[0]
        failed += of_file[1]
    print(f"Ran {tried} tests")
    print(f"FAILED (failures={failed})" if failed else "OK")
    sys.exit(failed > 0)


main()
