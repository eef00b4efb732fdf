import { mount } from "svelte";
import App from "./App.svelte";
import { instruments } from "./lib/instruments";
import { Talk } from "./lib/state.svelte";
import "./styles/tokens.css";
import "./styles/base.css";

const talk = new Talk();
instruments.expose(talk);
mount(App, { target: document.getElementById("app")!, props: { talk } });
await talk.load(new URLSearchParams(location.search).get("avatar") ?? "");
