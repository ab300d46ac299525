/** `moby.buildkit.v1.frontend.LLBBridge`: a client asks for a frontend's work itself, and hands back what it got as the build's result. */

import { WORKER_RECORD } from "./control.ts";
import { bytesMap, flag, integer, message, messageMap, nested, repeated, text, textMap } from "./message.ts";
import { CACHE_ENTRY, DEFINITION, PLATFORM, RPC_STATUS } from "./values.ts";

export const BRIDGE_SERVICE = "moby.buildkit.v1.frontend.LLBBridge";
/** Header of each call: the build that it belongs to. */
export const BUILD_ID_HEADER = "buildkit-controlapi-buildid";

export const CAPABILITY = message({ id: text(1), enabled: flag(2) });
export const PONG_RESPONSE = message({
	frontendCaps: repeated(1, CAPABILITY),
	llbCaps: repeated(2, CAPABILITY),
	workers: repeated(3, WORKER_RECORD),
});

export const BRIDGE_SOLVE_REQUEST = message({
	definition: nested(1, DEFINITION),
	frontend: text(2),
	frontendOpt: textMap(3),
	cacheImports: repeated(12, CACHE_ENTRY),
	frontendInputs: messageMap(13, DEFINITION),
	evaluate: flag(14),
});

export const REF = message({ id: text(1), def: nested(2, DEFINITION) });
export const REF_MAP = message({ refs: messageMap(1, REF) });
export const RESULT = message({
	ref: nested(3, REF),
	refs: nested(4, REF_MAP),
	metadata: bytesMap(10),
});
export const BRIDGE_SOLVE_RESPONSE = message({ result: nested(3, RESULT) });

export const RETURN_REQUEST = message({ result: nested(1, RESULT), error: nested(2, RPC_STATUS) });
export const EVALUATE_REQUEST = message({ ref: text(1) });

export const RESOLVE_IMAGE_CONFIG_REQUEST = message({
	ref: text(1),
	platform: nested(2, PLATFORM),
	resolveMode: text(3),
	resolverType: integer(5),
});
