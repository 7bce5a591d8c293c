"""
Some rounds of tests/crash.py and tests/imap_crash.py: kill -9 loses nothing that was answered 250 or OK, and doubles
nothing.
"""
import unittest

from crash import CrashTest
from imap_crash import ImapCrash


class Crash(unittest.TestCase):
    def test_twenty_rounds(self):
        test = CrashTest()
        self.addCleanup(test.close)
        test.run(20)
        self.assertEqual([], test.failures[:10])
        self.assertGreaterEqual(test.totals["kills"], 20)
        self.assertGreater(test.totals["mails"], 100)


class CrashOfImap(unittest.TestCase):
    def test_fifteen_rounds(self):
        test = ImapCrash()
        self.addCleanup(test.close)
        test.run(15)
        self.assertEqual([], test.failures[:10])
        self.assertGreater(test.steps, 150)


if __name__ == "__main__":
    unittest.main()
