"""What `compare` and `instructions` share: processes, ports, keys and the configuration of a Portcullis under test.

Only loopback, ports chosen by the kernel, every process ended by its id. Python's standard library only.
"""
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ISSUER, AUDIENCE = "https://issuer.example", "gateway"
started = []


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def die(text):
    say(f"{os.path.basename(sys.argv[0])}: {text}")
    sys.exit(2)


def directory():
    """A directory for this run, removed at the end."""
    path = tempfile.mkdtemp(prefix="portcullis-bench-")
    atexit.register(shutil.rmtree, path, True)
    return path


def start(command, cpus=None, **options):
    """Starts a process on the given CPUs; it ends with this one."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.DEVNULL)
    pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    process = subprocess.Popen(command, preexec_fn=pin, **options)
    started.append(process)
    return process


def stop(process, seconds=5):
    """Ends a process; its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process in started:
        started.remove(process)
    return process.returncode


@atexit.register
def stop_all():
    for process in list(started):
        stop(process, 2)


def free_port():
    """A port that is free now, for programs that cannot ask the kernel for one and tell."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, seconds=10):
    end = time.time() + seconds
    while time.time() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def find_binary(given):
    """The release binary; built when there is none."""
    path = given or os.path.join(ROOT, ".build/release/portcullis")
    if not given:
        say("building release")
        command = ["swift", "build", "-c", "release", "--static-swift-stdlib", "--product", "portcullis"]
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode:
            die("the release build failed")
    if not os.access(path, os.X_OK):
        die(f"{path} is not a program")
    return os.path.abspath(path)


class Keys:
    """Key pairs and tokens, made anew for each run by the program under test."""

    def __init__(self, binary, path, algorithms):
        self.binary, self.path = binary, path
        for algorithm in algorithms:
            self.run("key", "generate", "--algorithm", algorithm, "--out", self.prefix(algorithm))

    def run(self, *arguments):
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True)
        if done.returncode:
            die(f"portcullis {' '.join(arguments[:2])}: {done.stderr.strip()}")
        return done.stdout.strip()

    def prefix(self, algorithm):
        return os.path.join(self.path, algorithm.lower())

    def token(self, algorithm, subject="user-1", audience=AUDIENCE):
        key = ["--secret-file", self.prefix(algorithm) + ".secret"] if algorithm.startswith("HS") else \
            ["--key", self.prefix(algorithm) + ".pem"]
        return self.run("token", "mint", *key, "--algorithm", algorithm, "--issuer", ISSUER, "--audience",
                        audience, "--subject", subject, "--claim", f"email={subject}@example.com", "--ttl", "1h")


CONFIGURATION = """\
workers: 1
listeners:
  - {{ name: main, address: "127.0.0.1:0", backlog: 4096 }}
ops:
  address: "127.0.0.1:0"
access_log:
  path: {log}
limits:
  requests_per_connection: 1000000000
token_cache:
  enabled: {cache}
issuers:
  - name: bench
    issuer: {issuer}
    audiences: [{audience}]
    algorithms: [RS256, ES256, HS256]
    keys:
{keys}
identity:
  headers:
    - {{ claim: sub, header: X-User-Id }}
upstreams:
  - name: upstream
    servers: ["127.0.0.1:{upstream}"]
routes:
{routes}  - name: public
    match: {{ path_exact: /public }}
    auth: public
    forward: {{ upstream: upstream }}
  - name: all
    match: {{ path: / }}
    forward: {{ upstream: upstream }}
"""


def configuration(path, name, keys, algorithms, upstream, log="off", cache=True, routes=0):
    """Writes a configuration; its file name."""
    file = os.path.join(path, name + ".yaml")
    sources = "".join(f"      - {{secret: 'file:{keys.prefix(a)}.secret', algorithm: {a}}}\n" if a.startswith("HS") else
                      f"      - jwks_file: {keys.prefix(a)}.jwks.json\n" for a in algorithms)
    more = "".join(f"  - name: r{i}\n    match: {{ path: /service-{i}/v1/things }}\n    forward: {{ upstream: upstream }}\n"
                   for i in range(routes))
    with open(file, "w") as f:
        f.write(CONFIGURATION.format(log=log, cache=str(cache).lower(), issuer=ISSUER, audience=AUDIENCE,
                                     keys=sources.rstrip("\n"), upstream=upstream, routes=more))
    return file


class Portcullis:
    """A running gateway; its ports are read from its log."""

    def __init__(self, command, file, cpus=None, seconds=15):
        self.log = file + ".stderr"
        with open(self.log, "wb") as err:
            self.process = start([*command, "run", "--config", file], cpus, stderr=err)
        self.port = self.find("main", seconds)

    def find(self, name, seconds):
        end = time.time() + seconds
        while time.time() < end and self.process.poll() is None:
            with open(self.log, errors="replace") as f:
                for line in f:
                    if "listening" in line and re.search(rf'listener"?[=:] ?"?{name}\b', line):
                        return int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])
            time.sleep(0.02)
        with open(self.log, errors="replace") as f:
            die("portcullis did not start:\n" + f.read()[-2000:])


def cpu_seconds(pid):
    """CPU time of all threads of a process (nanosecond clock of the scheduler)."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def waits(root, name):
    """Nanoseconds that the threads so named were ready and had no processor, and how often they got one."""
    waited = turns = 0
    for pid in tree(root):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm") as comm, open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                if comm.read().startswith(name):
                    _, wait, count = map(int, stat.read().split())
                    waited, turns = waited + wait, turns + count
    return waited, turns


def stolen():
    """Seconds of processor time that the host of this virtual machine has kept back since it started."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def tree(root):
    """A process and its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                children.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(entry))
        except OSError:
            pass
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found
