import {
	CONTROL_SERVICE,
	DISK_USAGE_REQUEST,
	DISK_USAGE_RESPONSE,
	INFO_RESPONSE,
	LIST_WORKERS_RESPONSE,
	PRUNE_REQUEST,
	SOLVE_REQUEST,
	SOLVE_RESPONSE,
	STATUS_REQUEST,
	USAGE_RECORD,
	type WORKER_RECORD,
} from "../../api/buildkit/control.ts";
import { type MessageOf, message } from "../../api/buildkit/message.ts";
import { timestamp } from "../../api/buildkit/values.ts";
import type { BuildCacheRecord } from "../../api/engine/system.ts";
import { NotImplementedError } from "../../base/errors.ts";
import { pruneFilters } from "../../core/build/buildkit/cache-filters.ts";
import type { BuildKitBackend } from "../backends.ts";
import type { RpcMethod } from "../grpc/rpc-server.ts";
import { serverStream, unary } from "./rpc-methods.ts";
import { serveSession } from "./sessions.ts";

const NOTHING = message({});

/** `moby.buildkit.v1.Control`. Histories of builds are not kept: those methods are unimplemented, which clients take for an older BuildKit. */
export function controlMethods(backend: BuildKitBackend): ReadonlyMap<string, RpcMethod> {
	const methods: Readonly<Record<string, RpcMethod>> = {
		Solve: unary(SOLVE_REQUEST, SOLVE_RESPONSE, async (request, { signal }) => {
			if (request.sourcePolicy.length > 0) throw new NotImplementedError("source policies are not supported");
			const { exporters, exporterDeprecated, exporterAttrsDeprecated, cache } = request;
			const isOld = exporters.length === 0 && exporterDeprecated !== "";
			const exporterResponse = await backend.solve(
				{
					ref: request.ref,
					session: request.session,
					frontend: request.frontend,
					options: request.frontendAttrs,
					inputs: request.frontendInputs,
					definition: request.definition,
					exporters: isOld
						? [{ type: exporterDeprecated, attrs: exporterAttrsDeprecated }]
						: exporters.map(({ type = "", attrs = new Map() }) => ({ type, attrs })),
					cacheExports: (cache?.exports ?? []).map(({ type = "", attrs = new Map() }) => ({ type, attrs })),
					entitlements: request.entitlements,
				},
				signal,
			);
			return { exporterResponse };
		}),
		Status: serverStream(STATUS_REQUEST, ({ ref }, { reply, signal }) => backend.watch(ref, reply, signal)),
		Session: (call) => serveSession(backend, call),
		Info: unary(NOTHING, INFO_RESPONSE, () => {
			const { buildkitVersion } = backend.worker();
			return buildkitVersion === undefined ? {} : { buildkitVersion };
		}),
		ListWorkers: unary(NOTHING, LIST_WORKERS_RESPONSE, () => ({ record: [backend.worker()] })),
		DiskUsage: unary(DISK_USAGE_REQUEST, DISK_USAGE_RESPONSE, ({ filter, ageLimit }) => ({
			record: backend.usage(pruneFilters(filter, ageLimit)).map(usageRecord),
		})),
		Prune: serverStream(PRUNE_REQUEST, async (request, { reply }) => {
			const removed = await backend.prune({
				all: request.all,
				filters: pruneFilters(request.filter, request.keepDuration),
				reservedBytes: request.reservedSpace,
				maxUsedBytes: request.maxUsedSpace,
				minFreeBytes: request.minFreeSpace,
			});
			for (const record of removed) await reply(USAGE_RECORD.encode(usageRecord(record)));
		}),
	};
	return new Map(Object.entries(methods).map(([name, method]) => [`/${CONTROL_SERVICE}/${name}`, method]));
}

export type WorkerRecord = Partial<MessageOf<typeof WORKER_RECORD>>;

function usageRecord(record: BuildCacheRecord): Partial<MessageOf<typeof USAGE_RECORD>> {
	const at = (text: string | null | undefined) => (text ? { at: timestamp(Date.parse(text)) } : {});
	const created = at(record.CreatedAt).at;
	const used = at(record.LastUsedAt).at;
	return {
		id: record.ID,
		mutable: record.Type === "exec.cachemount" || record.Type === "source.local",
		inUse: record.InUse,
		size: record.Size,
		...(created === undefined ? {} : { createdAt: created }),
		...(used === undefined ? {} : { lastUsedAt: used }),
		usageCount: record.UsageCount,
		description: record.Description,
		recordType: record.Type,
		shared: record.Shared,
		parents: record.Parents ?? [],
	};
}
