"""What the tests of a backend or a plugin can use: real fakes and suites, nothing that patches."""
