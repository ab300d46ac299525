import type { StringMap } from "./container.ts";

export interface EventMessage {
	/** Before API 1.52 containers' and images' events repeat these three at the top. */
	status?: string;
	id?: string;
	from?: string;
	Type: string;
	Action: string;
	Actor: { ID: string; Attributes: StringMap };
	scope: "local" | "swarm";
	/** Seconds. */
	time: number;
	/** Nanoseconds; written as an integer that may pass 2^53, so encoders take it as text. */
	timeNano: bigint;
}
