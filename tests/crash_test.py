"""Twenty rounds of tests/crash.py: kill -9 loses nothing that was answered 250, and doubles nothing."""
import unittest

from crash import CrashTest


class Crash(unittest.TestCase):
    def test_twenty_rounds(self):
        test = CrashTest()
        self.addCleanup(test.close)
        test.run(20)
        self.assertEqual([], test.failures[:10])
        self.assertGreaterEqual(test.totals["kills"], 20)
        self.assertGreater(test.totals["mails"], 100)


if __name__ == "__main__":
    unittest.main()
