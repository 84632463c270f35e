// A cart as the list of what is in it: merging keeps everything that anybody added. Converges and loses nothing; what somebody took out
// comes back, though, if somebody else had not seen that yet (the Dynamo paper's cart).

export default function merge(siblings: readonly (readonly string[])[]): string[] {
  return [...new Set(siblings.flat())].sort()
}
