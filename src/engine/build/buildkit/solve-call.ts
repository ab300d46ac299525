import type { Readable } from "node:stream";
import type { MessageOf } from "../../../api/buildkit/message.ts";
import type { DEFINITION } from "../../../api/buildkit/values.ts";
import type { Exporter } from "../../../core/build/buildkit/exporter-options.ts";
import type { FrontendOptions } from "../../../core/build/buildkit/frontend-options.ts";

type Definition = MessageOf<typeof DEFINITION>;

/** What a client asks a frontend for. */
export interface FrontendCall {
	readonly frontend: string;
	readonly options: FrontendOptions;
	readonly inputs: ReadonlyMap<string, Definition | undefined>;
	readonly definition: Definition | undefined;
}

export interface SolveCall extends FrontendCall {
	/** The client's own name of the build. */
	readonly ref: string;
	/** Empty: it has none, and so neither secrets nor files. */
	readonly session: string;
	readonly exporters: readonly Exporter[];
	readonly cacheExports: readonly { readonly type: string; readonly attrs: ReadonlyMap<string, string> }[];
	readonly entitlements: readonly string[];
	/** The context, where it came along with the request; the options name it as an upload. */
	readonly archive?: Readable | undefined;
}

/** What a frontend has given: a result to be used, or answers about the Dockerfile. */
export interface FrontendAnswer {
	readonly result: { readonly id: string; readonly definition: Definition } | undefined;
	readonly metadata: ReadonlyMap<string, Uint8Array>;
}
