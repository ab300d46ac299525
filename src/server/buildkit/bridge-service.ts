import {
	BRIDGE_SERVICE,
	BRIDGE_SOLVE_REQUEST,
	BRIDGE_SOLVE_RESPONSE,
	BUILD_ID_HEADER,
	EVALUATE_REQUEST,
	PONG_RESPONSE,
	RETURN_REQUEST,
} from "../../api/buildkit/gateway.ts";
import { message } from "../../api/buildkit/message.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { BuildKitBackend } from "../backends.ts";
import { ReturnedError } from "../grpc/rpc-error.ts";
import type { RpcCall, RpcMethod } from "../grpc/rpc-server.ts";
import { unary } from "./rpc-methods.ts";

const NOTHING = message({});

/** What a client may ask of the bridge. */
const FRONTEND_CAPABILITIES = [
	"solve.base",
	"return",
	"returnmap",
	"proto.refarray",
	"reference.output",
	"importcaches",
	"frontend.inputs",
	"frontend.caps",
	"gateway.solve.metadata",
	"gateway.evaluate",
	"gateway.solve.evaluate",
];
/** What clients look for among the abilities of a BuildKit's solver. */
const LLB_CAPABILITIES = [
	"source.image",
	"source.image.resolvemode",
	"source.local",
	"source.local.unique",
	"source.local.sessionid",
	"source.local.includepatterns",
	"source.local.followpaths",
	"source.local.excludepatterns",
	"source.local.sharedkeyhint",
	"source.git",
	"source.http",
	"file.base",
	"constraints",
	"platform",
	"exporter.image.annotations",
	"exporter.image.attestations",
	"exporter.sourcedateepoch",
	"exporter.multiple",
	"gc.freespacefilter",
];

/** `moby.buildkit.v1.frontend.LLBBridge`, for clients that drive their build themselves, as buildx does. */
export function bridgeMethods(backend: BuildKitBackend): ReadonlyMap<string, RpcMethod> {
	const methods: Readonly<Record<string, RpcMethod>> = {
		Ping: unary(NOTHING, PONG_RESPONSE, () => ({
			frontendCaps: FRONTEND_CAPABILITIES.map((id) => ({ id, enabled: true })),
			llbCaps: LLB_CAPABILITIES.map((id) => ({ id, enabled: true })),
			workers: [backend.worker()],
		})),
		Solve: unary(BRIDGE_SOLVE_REQUEST, BRIDGE_SOLVE_RESPONSE, async (request, call) => {
			const build = buildId(call);
			const { result, metadata } = await backend.askFrontend(
				build,
				{
					frontend: request.frontend,
					options: request.frontendOpt,
					inputs: request.frontendInputs,
					definition: request.definition,
				},
				call.signal,
			);
			if (result !== undefined && request.evaluate) await backend.evaluate(build, result.id, call.signal);
			const ref = result === undefined ? undefined : { id: result.id, def: result.definition };
			return { result: { ref, refs: undefined, metadata } };
		}),
		Evaluate: unary(EVALUATE_REQUEST, NOTHING, async ({ ref }, call) => {
			await backend.evaluate(buildId(call), ref, call.signal);
			return {};
		}),
		Return: unary(RETURN_REQUEST, NOTHING, async ({ result, error }, call) => {
			const [first] = result?.refs?.refs.values() ?? [];
			const outcome = error === undefined ? (result?.ref?.id ?? first?.id ?? "") : new ReturnedError(error);
			await backend.finish(buildId(call), outcome, call.signal);
			return {};
		}),
	};
	return new Map(Object.entries(methods).map(([name, method]) => [`/${BRIDGE_SERVICE}/${name}`, method]));
}

function buildId({ metadata }: RpcCall): string {
	const id = metadata.get(BUILD_ID_HEADER) ?? "";
	if (id === "") throw new InvalidParameterError("no buildid found in context");
	return id;
}
