/** `containerd.services.content.v1.Content`, as sessions offer a client's OCI layouts: blobs by digest. Which layout, says a header. */
import { bytes, integer, message, nested, text, whole32 } from "./message.ts";

export const STORE_HEADER = "buildkit-attachable-store-id";

export const CONTENT_METHODS = {
	info: "/containerd.services.content.v1.Content/Info",
	read: "/containerd.services.content.v1.Content/Read",
	write: "/containerd.services.content.v1.Content/Write",
} as const;

export const CONTENT_INFO_REQUEST = message({ digest: text(1) });
export const CONTENT_INFO_RESPONSE = message({
	info: nested(1, message({ digest: text(1), size: integer(2) })),
});

export const CONTENT_READ_REQUEST = message({ digest: text(1), offset: integer(2), size: integer(3) });
export const CONTENT_READ_RESPONSE = message({ offset: integer(1), data: bytes(2) });

export const WRITE_ACTIONS = { stat: 0, write: 1, commit: 2 } as const;
export const CONTENT_WRITE_REQUEST = message({
	action: whole32(1),
	/** Of the upload, while it is under way. */
	ref: text(2),
	total: integer(3),
	/** Digest. */
	expected: text(4),
	offset: integer(5),
	data: bytes(6),
});
export const CONTENT_WRITE_RESPONSE = message({
	action: whole32(1),
	offset: integer(4),
	total: integer(5),
	digest: text(6),
});
