"""What a run has shown: for each kind of fault how often it was survived, and how long it took to heal."""
import collections
import statistics

STATED_MEDIAN_S = 1.0


class Report:
    def __init__(self, topology):
        self.topology = topology
        self.heals = collections.defaultdict(list)  # by kind: of the rounds that had it
        self.rounds = []
        self.passed = self.failed = 0

    def add(self, kinds, heal_s, problems):
        self.passed += not problems
        self.failed += bool(problems)
        if heal_s is not None:
            self.rounds.append(heal_s)
            for kind in kinds:
                self.heals[kind].append(heal_s)

    def check(self, name, problems):
        self.passed += not problems
        self.failed += bool(problems)
        for problem in problems:
            print("FAIL  %s %s: %s" % (self.topology, name, problem))

    def median_s(self):
        return statistics.median(self.rounds) if self.rounds else None

    def lines(self, oracle):
        yield "| %s | survived | heal, median | longest |" % self.topology
        yield "|---|---|---|---|"
        for kind, heals in sorted(self.heals.items()):
            yield "| %s | %d | %.2f s | %.2f s |" % (kind, len(heals), statistics.median(heals), max(heals))
        if self.rounds:
            yield "| all rounds | %d | %.2f s | %.2f s |" % (len(self.rounds), self.median_s(), max(self.rounds))
        yield ""
        yield "%d deliveries and %d answers about readiness checked." % (oracle.deliveries, oracle.readiness_looks)
