/** BuildKit's API, loaded by the first client that speaks it. */
import type { BuildKitBuildsDependencies } from "../engine/build/buildkit/buildkit-builds.ts";
import type { CacheUsageDependencies } from "../engine/build/buildkit/cache-usage.ts";
import type { WorkerFacts } from "../engine/build/buildkit/worker-record.ts";
import type { BuildKitBackend } from "../server/backends.ts";

export interface BuildKitWiring {
	readonly builds: BuildKitBuildsDependencies;
	readonly usage: CacheUsageDependencies;
	readonly facts: () => WorkerFacts;
}

export async function wireBuildKit(wiring: BuildKitWiring): Promise<BuildKitBackend> {
	const [{ BuildKitBuilds }, { RequestBuilds }, { CacheUsage }, { workerRecord }] = await Promise.all([
		import("../engine/build/buildkit/buildkit-builds.ts"),
		import("../engine/build/buildkit/request-builds.ts"),
		import("../engine/build/buildkit/cache-usage.ts"),
		import("../engine/build/buildkit/worker-record.ts"),
	]);
	const builds = new BuildKitBuilds(wiring.builds);
	const requests = new RequestBuilds(builds);
	const usage = new CacheUsage(wiring.usage);
	return {
		attachSession: (id, session) => builds.sessions.attach(id, session),
		solve: (call, signal) => builds.solve(call, signal),
		watch: (ref, send, signal) => builds.watch(ref, send, signal),
		askFrontend: (ref, call, signal) => builds.askFrontend(ref, call, signal),
		evaluate: (ref, result, signal) => builds.evaluate(ref, result, signal),
		finish: (ref, outcome, signal) => builds.finish(ref, outcome, signal),
		buildByRequest: (request, signal) => requests.build(request, signal),
		upload: (id, archive) => requests.upload(id, archive),
		worker: () => workerRecord(wiring.facts()),
		usage: (filters) => usage.records(filters),
		prune: (request) => usage.prune(request),
	};
}
