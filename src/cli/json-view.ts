// Looks into JSON that a node sent, without trusting its shape: what is missing or of another type reads as absent.

export type View = ReadonlyMap<string, unknown>

export function view(value: unknown): View {
  return new Map(typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [])
}

export function listAt(from: View, name: string): readonly unknown[] {
  const value = from.get(name)
  return Array.isArray(value) ? value : []
}

export function viewsAt(from: View, name: string): readonly View[] {
  return listAt(from, name).map(view)
}

export function textsAt(from: View, name: string): readonly string[] {
  return listAt(from, name).filter((item) => typeof item === 'string')
}

export function textAt(from: View, name: string): string | null {
  const value = from.get(name)
  return typeof value === 'string' ? value : null
}

export function numberAt(from: View, name: string): number | null {
  const value = from.get(name)
  return typeof value === 'number' ? value : null
}

export function flagAt(from: View, name: string): boolean {
  return from.get(name) === true
}
