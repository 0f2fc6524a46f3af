// Sends through @segment/analytics-node: node send.mjs HOST WRITE_KEY COUNT. Says what could not be delivered.
import { Analytics } from "@segment/analytics-node"

const [host, writeKey, count] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 30, flushInterval: 100, maxRetries: 10 })
analytics.on("error", (error) => console.error("could not deliver", error))
const context = { ip: "203.0.113.7", locale: "de-DE" }

analytics.identify({ userId: "node-1", anonymousId: "visitor-node", traits: { email: "node@shop.example", plan: "pro" } })
for (let number = 0; number < Number(count); number++) {
  analytics.track({ userId: "node-1", event: "Step", properties: { number }, context })
  if (number % 20 === 0) await new Promise((done) => setTimeout(done, 50))
}
analytics.page({ userId: "node-1", name: "Home", properties: { url: "https://shop.example/" } })
analytics.screen({ userId: "node-1", name: "Cart" })
analytics.group({ userId: "node-1", groupId: "acme", traits: { size: 7 } })
analytics.track({ userId: "node-1", event: "Order Completed", properties: { order_id: "o-1", total: 19.9 } })
analytics.alias({ previousId: "node-1", userId: "node-2" })
await analytics.closeAndFlush({ timeout: 90_000 })
