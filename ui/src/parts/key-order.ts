// Keys that the page takes, and who comes first where two take the same one.

export type Key = {
  /** One key as `KeyboardEvent.key` names it, `Space`, or two that are pressed one after the other: `g w`. */
  keys: string;
  /** What it does, for the list. */
  text: string;
  /** Left out where the browser does it, such as Enter on a link. */
  act?: () => void;
};

/** Where keys belong; those of a panel come before those of the page that it lies on. */
export type Rank = "everywhere" | "page" | "panel";
const RANKS: readonly Rank[] = ["panel", "page", "everywhere"];

export type Listing = { title: string; keys: readonly Key[]; rank: Rank };

/** Give the listings in the order in which they are asked, without the keys that an earlier one takes. */
export function inOrder(listings: readonly Listing[]): readonly Listing[] {
  const taken = new Set<string>();
  return RANKS.flatMap((rank) => listings.filter((listing) => listing.rank === rank).reverse())
    .map((listing) => {
      const keys = listing.keys.filter((key) => !taken.has(key.keys));
      for (const key of keys) taken.add(key.keys);
      return { ...listing, keys };
    })
    .filter(({ keys }) => keys.length > 0);
}
