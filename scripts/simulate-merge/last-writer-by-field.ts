// A cart as an object from article to quantity and the moment of the last change, of which the later one wins, field by field. It converges;
// and of two clients that change one article at the same time, one is forgotten though its write was acknowledged.

interface Line {
  readonly quantity: number
  readonly at: number
  /** Whose edits made it, for `lost` to know. */
  readonly by: readonly string[]
}

type Cart = Readonly<Record<string, Line>>

interface Edit {
  readonly id: string
  readonly number: number
}

export default function merge(siblings: readonly Cart[]): Cart {
  const cart: Record<string, Line> = {}
  for (const sibling of siblings)
    for (const [article, line] of Object.entries(sibling)) {
      const known = cart[article]
      if (!known || isLater(line, known)) cart[article] = line
    }
  return cart
}

/** Two at one moment: whichever is greater, so that the order of siblings does not matter. */
function isLater(a: Line, b: Line): boolean {
  return a.at === b.at ? JSON.stringify(a) > JSON.stringify(b) : a.at > b.at
}

export const initial: Cart = {}

export function change(cart: Cart, edit: Edit, random: () => number): Cart {
  const article = ['apples', 'bread', 'cheese'][Math.floor(random() * 3)] ?? 'apples'
  const { quantity = 0, by = [] } = cart[article] ?? {}
  return { ...cart, [article]: { quantity: quantity + 1, at: edit.number, by: [...by, edit.id] } }
}

export function lost(edits: readonly Edit[], cart: Cart): string[] {
  const shown = new Set(Object.values(cart).flatMap(({ by }) => by))
  return edits.map(({ id }) => id).filter((id) => !shown.has(id))
}
