/** Messages that several of BuildKit's services share. */
import {
	bytes,
	integer,
	type MessageOf,
	message,
	messageMap,
	nested,
	repeated,
	repeatedBytes,
	text,
	textMap,
} from "./message.ts";

/** google.protobuf.Timestamp. */
export const TIMESTAMP = message({ seconds: integer(1), nanos: integer(2) });

/** @param milliseconds since the epoch */
export function timestamp(milliseconds: number): MessageOf<typeof TIMESTAMP> {
	const seconds = Math.floor(milliseconds / 1000);
	return { seconds, nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

/** google.protobuf.Any. */
export const ANY = message({ typeUrl: text(1), value: bytes(2) });

/** google.rpc.Status, what an RPC has failed with. */
export const RPC_STATUS = message({ code: integer(1), message: text(2), details: repeated(3, ANY) });

export const PLATFORM = message({
	architecture: text(1),
	os: text(2),
	variant: text(3),
	osVersion: text(4),
});

/** Bytes of a stream: of an archive, a connection to an agent. */
export const BYTES_MESSAGE = message({ data: bytes(1) });

/** Lines and characters, the first ones 1 and 0. */
export const POSITION = message({ line: integer(1), character: integer(2) });
export const RANGE = message({ start: nested(1, POSITION), end: nested(2, POSITION) });
export const SOURCE_INFO = message({ filename: text(1), data: bytes(2), language: text(4) });

/** A graph of operations (LLB) as clients hand it about. We run none, and give out only such as stand for a result of ours. */
export const OP_METADATA = message({ description: textMap(2) });
/** `metadata` by the digests of operations: clients take a graph without any for none. */
export const DEFINITION = message({ def: repeatedBytes(1), metadata: messageMap(2, OP_METADATA) });
export const SOURCE_OP = message({ identifier: text(1), attrs: textMap(2) });
export const OP_INPUT = message({ digest: text(1), index: integer(2) });
export const OP = message({
	inputs: repeated(1, OP_INPUT),
	source: nested(3, SOURCE_OP),
	platform: nested(10, PLATFORM),
});

export const CACHE_ENTRY = message({ type: text(1), attrs: textMap(2) });

export const DESCRIPTOR = message({
	mediaType: text(1),
	digest: text(2),
	size: integer(3),
	annotations: textMap(5),
});
