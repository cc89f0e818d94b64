"""What a run has shown: for each kind of fault how often it was survived, and how long it took to heal."""
import collections
import statistics

STATED_MEDIAN_S = 1.0


def times(heals):
    return "%.2f s | %.2f s" % (statistics.median(heals), max(heals)) if heals else "- | -"


class Report:
    def __init__(self, topology):
        self.topology = topology
        self.survived = collections.Counter()
        self.alone = collections.defaultdict(list)  # by kind: times to heal of rounds that had no other
        self.heals = []
        self.passed = self.failed = 0

    def add(self, kinds, heal_s, problems):
        """A round."""
        self.passed += not problems
        self.failed += bool(problems)
        if heal_s is None:
            return
        self.heals.append(heal_s)
        self.survived.update(kinds)
        if len(kinds) == 1:
            self.alone[kinds[0]].append(heal_s)

    def check(self, name, problems):
        self.passed += not problems
        self.failed += bool(problems)
        for problem in problems:
            print("FAIL  %s %s: %s" % (self.topology, name, problem))

    def check_median(self, patience):
        median_s = statistics.median(self.heals) if self.heals else 0
        late = median_s > STATED_MEDIAN_S * patience
        self.check("median", ["it takes %.2f s to heal in the median" % median_s] if late else [])

    def lines(self, oracle):
        yield "| %s | survived | to heal, alone: median | longest |" % self.topology
        yield "|---|---|---|---|"
        for kind, count in sorted(self.survived.items()):
            yield "| %s | %d | %s |" % (kind, count, times(self.alone[kind]))
        yield "| all %d rounds | %d | %s |" % (len(self.heals), sum(self.survived.values()), times(self.heals))
        yield ""
        errors = ", ".join("%d of %s" % (count, code) for code, count in oracle.load_errors.most_common()) or "none"
        yield "%d deliveries and %d answers about readiness checked; load errors told: %s." % (
            oracle.deliveries, oracle.readiness_looks, errors)
