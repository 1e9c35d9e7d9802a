// Signals as Django's dispatch has them: who hears whom, in which order, and what a broken receiver may spoil.

import { describe, expect, test } from "vitest";
import { type Receiver, Signal } from "../../src/handler/signals.ts";

interface Args {
  readonly value: number;
}

describe("connect and disconnect", () => {
  test("receivers are called in the order in which they were connected, with sender and arguments", () => {
    const signal = new Signal<Args>();
    const heard: unknown[] = [];
    signal.connect((sender, args) => heard.push(["a", sender, args.value]));
    signal.connect((sender, args) => heard.push(["b", sender, args.value]));
    signal.send("me", { value: 1 });
    expect(heard).toEqual([["a", "me", 1], ["b", "me", 1]]);
  });

  test("a receiver connected twice is called once", () => {
    const signal = new Signal<Args>();
    const receiver: Receiver<Args> = (_, { value }) => value;
    signal.connect(receiver);
    signal.connect(receiver);
    expect(signal.send(null, { value: 7 })).toEqual([[receiver, 7]]);
  });

  test("dispatchUid: two receivers of one uid are one, for each sender", () => {
    const signal = new Signal<Args>();
    signal.connect(() => "first", { dispatchUid: "x" });
    signal.connect(() => "second", { dispatchUid: "x" });
    signal.connect(() => "third", { dispatchUid: "x", sender: "me" });
    expect(signal.send("me", { value: 0 }).map(([, response]) => response)).toEqual(["first", "third"]);
    expect(signal.disconnect(null, { dispatchUid: "x" })).toBe(true);
    expect(signal.send("me", { value: 0 }).map(([, response]) => response)).toEqual(["third"]);
  });

  test("sender: others are not heard", () => {
    const signal = new Signal<Args>();
    signal.connect(() => "all");
    signal.connect(() => "mine", { sender: "me" });
    expect(signal.send("you", { value: 0 })).toHaveLength(1);
    expect(signal.send("me", { value: 0 })).toHaveLength(2);
    expect(signal.send(undefined, { value: 0 })).toHaveLength(1);
  });

  test("disconnect tells whether there was anything to end", () => {
    const signal = new Signal<Args>();
    const receiver = (): void => {};
    signal.connect(receiver, { sender: "me" });
    expect(signal.disconnect(receiver)).toBe(false);
    expect(signal.disconnect(receiver, { sender: "me" })).toBe(true);
    expect(signal.disconnect(receiver, { sender: "me" })).toBe(false);
  });

  test("hasListeners, of all and of one sender", () => {
    const signal = new Signal<Args>();
    expect(signal.hasListeners()).toBe(false);
    signal.connect(() => {}, { sender: "me" });
    expect(signal.hasListeners()).toBe(true);
    expect(signal.hasListeners("me")).toBe(true);
    expect(signal.hasListeners("you")).toBe(false);
  });

  test("a receiver may disconnect itself while the signal is sent", () => {
    const signal = new Signal<Args>();
    const heard: string[] = [];
    const once = (): void => {
      heard.push("once");
      signal.disconnect(once);
    };
    signal.connect(once);
    signal.connect(() => heard.push("always"));
    signal.send(null, { value: 0 });
    signal.send(null, { value: 0 });
    expect(heard).toEqual(["once", "always", "always"]);
  });

  test("a weak receiver that somebody holds is called", () => {
    const signal = new Signal<Args>();
    const receiver = (): string => "alive";
    signal.connect(receiver, { weak: true });
    expect(signal.send(null, { value: 0 })).toEqual([[receiver, "alive"]]);
  });

  test("what is no function is refused", () => {
    expect(() => new Signal<Args>().connect("x" as unknown as Receiver<Args>)).toThrow(/must be a function/);
  });
});

describe("send", () => {
  const failing = (): never => {
    throw new RangeError("mine");
  };

  test("send: what a receiver throws ends it", () => {
    const signal = new Signal<Args>();
    let called = false;
    signal.connect(failing);
    signal.connect(() => called = true);
    expect(() => signal.send(null, { value: 0 })).toThrow("mine");
    expect(called).toBe(false);
  });

  test("sendRobust: what a receiver throws is its response, and the others are called", () => {
    const signal = new Signal<Args>();
    signal.connect(failing);
    signal.connect(() => "fine");
    signal.connect(() => {
      throw "no Error";
    });
    const responses = signal.sendRobust(null, { value: 0 }).map(([, response]) => response);
    expect(responses).toEqual([new RangeError("mine"), "fine", new Error("no Error")]);
  });

  test("sendAsync: sync and async receivers, all waited for, responses in order", async () => {
    const signal = new Signal<Args>();
    signal.connect(async (_, { value }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return value;
    });
    signal.connect(() => "sync");
    expect((await signal.sendAsync(null, { value: 3 })).map(([, response]) => response)).toEqual([3, "sync"]);
  });

  test("sendAsync rejects with what one throws", async () => {
    const signal = new Signal<Args>();
    signal.connect(async () => await Promise.reject(new RangeError("later")));
    await expect(signal.sendAsync(null, { value: 0 })).rejects.toThrow("later");
  });

  test("sendRobustAsync never rejects", async () => {
    const signal = new Signal<Args>();
    signal.connect(failing);
    signal.connect(async () => await Promise.reject(new RangeError("later")));
    signal.connect(() => "fine");
    expect((await signal.sendRobustAsync(null, { value: 0 })).map(([, response]) => response))
      .toEqual([new RangeError("mine"), new RangeError("later"), "fine"]);
  });
});
