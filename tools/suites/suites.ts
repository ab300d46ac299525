import { parseMochaJson, parsePytestJunit, parseVitestJson, type SuiteResults } from "./results.ts";

/** Another project's integration tests, and how its own runner runs them in a checkout. */
export interface Suite {
	/** Command in the checkout; `filters` are passed on in the runner's own way. The report goes to `reportPath`. */
	readonly argv: (options: { reportPath: string; python: string; filters: readonly string[] }) => readonly string[];
	readonly parse: (report: string) => SuiteResults;
	/** Names under which the tests expect small images; busybox stands in for those that are missing. */
	readonly images: readonly string[];
}

/** Options alone leave the choice of tests as it is. */
function withDefault(filters: readonly string[], everything: string): readonly string[] {
	return filters.every((filter) => filter.startsWith("-")) ? [...filters, everything] : filters;
}

export const SUITES: Readonly<Record<string, Suite>> = {
	"docker-py": {
		argv: ({ reportPath, python, filters }) => [
			python,
			"-m",
			"pytest",
			"-q",
			"-p",
			"no:cacheprovider",
			`--junitxml=${reportPath}`,
			...withDefault(filters, "tests/integration"),
		],
		parse: parsePytestJunit,
		images: ["alpine:3.10", "alpine:latest", "busybox:latest"],
	},
	dockerode: {
		argv: ({ reportPath, filters }) => [
			"node_modules/.bin/mocha",
			"--exit",
			"--timeout=120000",
			"--reporter=json",
			`--reporter-option=output=${reportPath}`,
			...withDefault(filters, "test/*.js"),
		],
		parse: parseMochaJson,
		images: ["ubuntu:latest", "busybox:latest"],
	},
	testcontainers: {
		argv: ({ reportPath, filters }) => [
			"node_modules/.bin/vitest",
			"run",
			"--reporter=json",
			`--outputFile=${reportPath}`,
			...withDefault(filters, "packages/testcontainers"),
		],
		parse: parseVitestJson,
		images: ["alpine:latest", "busybox:latest"],
	},
};
