# the examples (>>>) in the strings of Python files
import ast, doctest, os, runpy, signal, sys, traceback

LONGEST = 3  # seconds that the examples of one string, or a file's own statements, may take
LEFT_OUT = {"__pycache__", "build", "dist", "node_modules", "site-packages", "target", "venv"}


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
    signal.alarm(LONGEST)
    names = runpy.run_path(path)
    signal.alarm(0)
    failed = 0
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for line, string in strings:
        test = doctest.DocTestParser().get_doctest(string, dict(names), path, path, line)
        signal.alarm(LONGEST)
        failed += doctest.DocTestRunner(verbose=False, optionflags=flags).run(test).failed > 0
        signal.alarm(0)
    return len(strings), failed


def main():
    signal.signal(signal.SIGALRM, too_long)
    tried = failed = 0
    for folder, folders, files in os.walk("."):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in LEFT_OUT)
        for name in sorted(files):
            path = os.path.relpath(os.path.join(folder, name))
            if not name.endswith(".py"):
                continue
            try:
                with open(path, encoding="utf-8") as file:
                    text = file.read()
            except (OSError, UnicodeDecodeError):
                continue
            if ">>>" not in text:
                continue
            try:
                of_file = run(path, text)
            except BaseException:
                signal.alarm(0)
                traceback.print_exc(limit=-3)
                of_file = 1, 1
            tried += of_file[0]
            failed += of_file[1]
    print(f"Ran {tried} tests")
    print(f"FAILED (failures={failed})" if failed else "OK")
    sys.exit(failed > 0)


main()
