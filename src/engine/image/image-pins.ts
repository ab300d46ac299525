import { errorKind, NotFoundError } from "../../base/errors.ts";
import type { UseStore } from "../../core/gc/use-store.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { isIdPrefix } from "../../core/image/lookup.ts";
import { familiarPin, pinName, pinOf } from "../../core/image/pin.ts";
import type { ImageIndex } from "./image-index.ts";

/**
 * Images that no collection and no prune removes. A pin is on a name, so that it moves with a tag to the next version, or on an ID. It
 * may come before its image.
 */
export class ImagePins {
	readonly #pins: Set<string>;

	constructor(
		private readonly store: UseStore,
		private readonly index: ImageIndex,
	) {
		this.#pins = new Set(store.pins());
	}

	/** As people write them. */
	list(): string[] {
		return [...this.#pins].map(familiarPin);
	}

	/** Idempotent. @returns what is pinned now. @throws InvalidParameterError */
	pin(text: string): string {
		const name = this.#name(text);
		this.store.pin(name);
		this.#pins.add(name);
		return familiarPin(name);
	}

	/** @throws NotFoundError, InvalidParameterError */
	unpin(text: string): string {
		const name = this.#name(text);
		if (!this.store.unpin(name)) throw new NotFoundError(`No such pin: ${text}`);
		this.#pins.delete(name);
		return familiarPin(name);
	}

	/** The pin that holds the image. */
	of(image: ImageRecord): string | undefined {
		const pin = pinOf(image, this.#pins);
		return pin === undefined ? undefined : familiarPin(pin);
	}

	#name(text: string): string {
		return pinName(text, (id) => this.#byId(id));
	}

	#byId(text: string): ImageRecord | undefined {
		try {
			const image = this.index.resolve(text);
			return isIdPrefix(image, text) ? image : undefined;
		} catch (error) {
			if (errorKind(error) === "not-found") return undefined;
			throw error;
		}
	}
}
