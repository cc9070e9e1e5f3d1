"""yaml-language-server, installed through npm into a cache folder and spoken to as an editor does: the Language Server Protocol over stdio."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "1.19.2"


def installed():
    """The folder of the package, installed on first use; fails where npm is missing."""
    npm = shutil.which("npm")
    assert npm and shutil.which("node"), "node and npm are needed: this test runs yaml-language-server, as editors do"
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layerctl-tests" / f"yaml-language-server-{VERSION}"
    if not (root / "node_modules" / "yaml-language-server" / "bin").is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=root.parent))
        command = [npm, "install", "--prefix", str(fresh), "--no-audit", "--no-fund", "--ignore-scripts", f"yaml-language-server@{VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"npm could not install yaml-language-server:\n{done.stderr}"
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)
    return root / "node_modules" / "yaml-language-server"


class Server:
    """The running server. Texts are opened one after the other; each has a name of its own in a folder."""

    def __init__(self, folder):
        binary = installed() / "bin" / "yaml-language-server"
        self.folder, self.numbers, self.published = Path(folder), itertools.count(1), {}
        self.process = subprocess.Popen(["node", str(binary), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr)
        self.request("initialize", {"processId": os.getpid(), "rootUri": self.folder.as_uri(), "capabilities": {
            "textDocument": {"completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
                             "hover": {"contentFormat": ["markdown"]}, "publishDiagnostics": {}},
            "workspace": {"configuration": True},
        }})  # fmt: skip
        self.notify("initialized", {})

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()

    def _write(self, message):
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self.process.stdin.flush()

    def _read(self):
        length = 0
        while (line := self.process.stdout.readline().strip()) or not length:
            assert line or self.process.poll() is None, "yaml-language-server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(self.process.stdout.read(length))

    def _handle(self, message):
        """Answers what the server asks, and keeps what it publishes."""
        method = message.get("method")
        if method == "workspace/configuration":
            settings = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
            answer = [settings.get(item.get("section")) for item in message["params"]["items"]]
            self._write({"id": message["id"], "result": answer})
        elif method == "textDocument/publishDiagnostics":
            self.published[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif method is not None and "id" in message:
            self._write({"id": message["id"], "result": None})

    def request(self, method, params):
        number = next(self.numbers)
        self._write({"id": number, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._handle(message)

    def notify(self, method, params):
        self._write({"method": method, "params": params})

    def open(self, text):
        """The address of a text that is open now."""
        uri = (self.folder / f"model{next(self.numbers)}.yaml").as_uri()
        self.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
        return uri

    def diagnostics(self, text):
        """What the server says is wrong in a text."""
        uri = self.open(text)
        while uri not in self.published:
            self._handle(self._read())
        return self.published[uri]

    def _at(self, text):
        """The text without its mark `|`, and where that stood."""
        before, after = text.split("|")
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return {"textDocument": {"uri": self.open(before + after)}, "position": place}

    def completions(self, text):
        """What may stand at `|`: labels and their documentation."""
        found = self.request("textDocument/completion", self._at(text))
        items = found["items"] if isinstance(found, dict) else found or []
        return {i["label"]: str(i.get("documentation") or "") for i in items}

    def hover(self, text):
        """What is shown for the word at `|`."""
        found = self.request("textDocument/hover", self._at(text))
        return found["contents"]["value"] if found else ""
