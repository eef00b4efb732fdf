// Ray marching and light. Writes display-referred colour, and the hit's z (cm) as alpha (background: -99).
out vec4 pixel;
uniform vec4 window;  // part of the picture drawn: x0, y0 (bottom left, in -1..1), units per pixel, -
uniform vec3 skinColour, lipColour, hairColour, irisColour, clothColour, trimColour, backTop, backBottom, keyDirection, keyColour;
uniform vec3 glassColour;
uniform float stubble, makeup, freckles, fieldOfView;
uniform vec2 camera;

mat3 headFrame;
const vec3 PIVOT = vec3(0, -9., -2.);
vec3 toHead(vec3 p) {
  return evened(mix(p, headFrame * (p - PIVOT) + PIVOT, smoothstep(-17., -9., p.y)));
}

const float SKIN = 1., EYES = 2., HAIR = 4., CLOTH = 5., TEETH = 6., TONGUE = 7., TRIM = 8., FRAMES = 9.;
vec2 scene(vec3 p) {  // distance, material
  vec3 h = toHead(p);
  float near = length(h - vec3(0, 0, -1)) - 15., d = neck(h), m = SKIN, lipDistance;
  if (near < 2.) d = smin(smin(d, skin(h, lipDistance), 1.2), ears(h), .35);
  else d = min(d, near + 1.);
  vec3 c = p - vec3(0, -16.2, -2.7);
  c.yz = rotation(.36) * c.yz;
  float ring = length(c.xz / vec2(1.08, 1.)) - 5.5 - neckWidth;
  float collar = length(vec2(ring, max(abs(c.y) - .30, 0.))) - .36;
  float b = body(p);
  if (b < d) { d = b; m = CLOTH; }
  if (collar < d) { d = collar; m = TRIM; }
  float hd = near < 8. || hairStyle > .5 ? hair(h) : near;
  if (hd < d) { d = hd; m = HAIR; }
  if (glasses > 0. && near < 2.) {
    float g = spectacles(h);
    if (g < d) { d = g; m = FRAMES; }
  }
  if (h.z > 4. && near < 2.) {
    vec3 e = vec3(abs(h.x), h.yz) - EYE;
    float eye = length(e) - EYEBALL;
    if (eye < d) { d = eye; m = EYES; }
    if (abs(h.y + 8.) < 3.5) {
      float t = teeth(h);
      if (t < d) { d = t; m = TEETH; }
      t = tongue(h);
      if (t < d) { d = t; m = TONGUE; }
    }
  }
  return vec2(d, m);
}
float field(vec3 p) { return scene(p).x; }
vec3 normalAt(vec3 p, float e) {
  vec2 k = vec2(1, -1) * e;
  return normalize(k.xyy * field(p + k.xyy) + k.yyx * field(p + k.yyx) + k.yxy * field(p + k.yxy) + k.xxx * field(p + k.xxx));
}
// Soft shadow; the jittered start turns the bands that coarse steps leave into fine grain, which supersampling removes.
float shadow(vec3 p, vec3 l, float jitter) {
  float lit = 1., t = .25 + .25 * jitter;
  coarse = true;
  for (int i = 0; i < 34; i++) {
    float d = field(p + l * t);
    lit = min(lit, .5 + 2.2 * d / t);
    t += clamp(d * .6, .12, .9);
    if (lit < 0. || t > 15.) break;
  }
  coarse = false;
  lit = clamp(lit, 0., 1.);
  return lit * lit * (3. - 2. * lit);
}
float occlusion(vec3 p, vec3 n) {
  float o = 0., s = 1.;
  coarse = true;
  for (int i = 0; i < 4; i++) { float h = .12 + .65 * float(i); o += (h - field(p + n * h)) * s; s *= .62; }
  coarse = false;
  return clamp(1. - .36 * o, 0., 1.);
}
float ggx(float nh, float r) { float a = r * r; a *= a; float d = nh * nh * (a - 1.) + 1.; return a / (3.14159 * d * d); }

vec3 background(vec2 u) {
  vec3 c = mix(backBottom, backTop, smoothstep(-1.1, 1.2, u.y + .30 * u.x));
  for (int i = 0; i < 5; i++) {
    float f = float(i) + seed, r = .25 + .3 * hash1(f * 5.3);
    vec2 at = vec2(hash1(f * 3.1) * 2.4 - 1.2, hash1(f * 7.7) * 2. - .8);
    c *= 1. + .16 * (hash1(f * 9.) - .25) * smoothstep(r, 0., length(u - at));
  }
  return c * (1. - .10 * dot(u, u));
}

struct Surface { vec3 albedo, normal, glint; float rough, scatter, gloss, inside; };

void paintSkin(inout Surface s, vec3 h) {
  float lipDistance;
  skin(h, lipDistance);
  vec3 q = vec3(abs(h.x), h.yz), e = q - EYE;
  float front = step(0., h.z), upper = step(4., h.z), w = mouthHalf(), t = h.x / w;
  s.scatter = 1.; s.rough = .45; s.gloss = .75;
  float blotch = noise(h * 1.1 + seed), grain = noise(h * 3.5 + seed), pores = noise(h * 11. + seed);
  s.albedo *= .95 + .06 * blotch + .03 * grain;
  vec2 toCheek = (q.xy - vec2(4., -3.2)) / vec2(2.1, 1.7), toTip = (h.xy - vec2(0, -3.8)) / vec2(1.3, 1.);
  float blush = (.60 + .5 * makeup) * exp(-dot(toCheek, toCheek)) * front + .35 * exp(-dot(toTip, toTip)) * step(6., h.z)
    + .4 * smoothstep(6.4, 7.4, q.x) * bell(h.y + 1.2, 3.);
  s.albedo *= mix(vec3(1), vec3(1.05, .80, .77), clamp(blush, 0., 1.));
  s.albedo *= 1. - .03 * smoothstep(.62, .8, pores);
  s.albedo *= mix(vec3(1), vec3(.92, .83, .83), bell(e.y + 1., .45) * bell(e.x, 1.5) * (.25 + .45 * age) * upper);
  s.albedo *= mix(vec3(1), vec3(.84, .70, .67), bell(e.y - .85, .5) * bell(e.x - .2, 1.7) * (.25 + .55 * makeup) * upper);
  // stubble: moustache, chin and jaw
  float shaven = smoothstep(-4.7, -6.4, h.y + .16 * max(q.x - 2.5, 0.) * 3.) * smoothstep(-1., 1.5, h.z);
  shaven = max(shaven * (1. - bell(h.x, 1.1) * bell(h.y + 8.35, .5) * .5), 0.) * smoothstep(-12.6, -11.4, h.y);
  s.albedo *= mix(vec3(1), mix(vec3(.60, .60, .63), vec3(.9), .35 * pores + .25 * grain), shaven * stubble);
  if (beard > 0.) {
    float hairs = noise(vec3(h.x * 6., h.y * 1.6, h.z * 3. + seed)), grown = smoothstep(.15, .6, beardArea(h) + .35 * (hairs - .5)) * beard;
    s.albedo = mix(s.albedo, hairColour * (.45 + .7 * hairs), grown * .94);
    s.gloss *= 1. - .8 * grown;
    s.scatter *= 1. - .8 * grown;
  }
  if (freckles > 0.) {
    float spots = smoothstep(.62, .78, noise(h * 5.5 + seed)) * (bell(q.x - 2.6, 2.4) * bell(h.y + 2.6, 2.2) + .35);
    s.albedo *= mix(vec3(1), vec3(.78, .62, .52), freckles * spots * upper);
  }
  // lips, the line between them, and what lies behind
  float tu = upperThick(t) * 1.02, tl = lowerThick(t) * 1.04;
  float red = min(abs(h.y - upperEdge(t) - tu * .95) - tu, abs(h.y - lowerEdge(t) + tl * .92) - tl);
  float lipMask = smoothstep(.07, -.07, red) * smoothstep(1.06, .94, abs(t)) * step(6.5, h.z) * (1. - .35 * press);
  s.albedo = mix(s.albedo, lipColour * (.92 + .13 * noise(vec3(h.x * 6., h.y * .8, 0.))), lipMask);
  s.rough = mix(s.rough, .33, lipMask);
  float inside = max(smoothstep(.06, -.06, cavity(h)),
                     smoothstep(.55, .95, lipZ(h.x) - .55 * jaw - h.z) * step(mouthCut(h), .16)) * step(abs(h.x), w);
  s.inside = inside;
  s.albedo = mix(s.albedo, vec3(.30, .07, .06), inside);
  s.gloss *= 1. - inside;
  float line = bell(h.y - .5 * (upperEdge(t) + lowerEdge(t)), .085) * smoothstep(1.04, .88, abs(t)) * step(7., h.z);
  s.albedo *= mix(vec3(1), vec3(.36, .18, .17), line * smoothstep(.45, .05, opening(t)) * .8);
  // brows
  float bx = (q.x - 1.0) / 3.9;
  float by = 1.70 + 1.0 * bx - .88 * bx * bx * bx * bx * bx + browHeight + .72 * brow * (.65 + .35 * bx) + .05 * smile;
  float thick = browThick * (.36 - .13 * bx) * smoothstep(-.08, .14, bx) * smoothstep(1.08, .5, bx) + .02;
  float bristles = noise(vec3(q.x * 8. + h.y * 7. * (1. - 1.2 * bx), h.y * 2.2, seed));
  float browMask = smoothstep(thick + .14, thick * .25, abs(h.y - by)) * smoothstep(-.10, .06, bx) * smoothstep(1.12, .85, bx) * step(3., h.z);
  s.albedo = mix(s.albedo, hairColour * .62, clamp(browMask * (.55 + .45 * bristles), 0., .88));
  s.gloss *= 1. - .7 * browMask;
  // lashes, the inner corner of the eye
  float up = upperLid(e.x), low = lowerLid(e.x), within = smoothstep(1.86, 1.5, abs(e.x + .03));
  float lashes = smoothstep(.17 + .05 * makeup, .05, abs(e.y - up - .05 - .02 * makeup)) * within * step(5., h.z);
  float wing = makeup * smoothstep(.14, .02, abs(e.y - .10 - .35 * (e.x - 1.45))) * smoothstep(1.25, 1.5, e.x) * smoothstep(2.1, 1.8, e.x) * step(4., h.z);
  float under = smoothstep(.12, .0, abs(e.y - low + .04)) * within * step(5., h.z);
  s.albedo = mix(s.albedo, vec3(.04, .028, .025), max(lashes * .93, wing * .8));
  s.albedo = mix(s.albedo, vec3(.27, .13, .11), under * (.32 + .35 * makeup));
  s.gloss *= 1. - lashes;
  vec2 corner = (e.xy - vec2(-1.58, -.05)) / .17;
  s.albedo = mix(s.albedo, vec3(.74, .40, .37), exp(-dot(corner, corner)) * .6 * step(5., h.z));
  // roots: hair colour fades into the skin
  float root = hair(h), dither = strands.fine;
  s.albedo = mix(s.albedo, hairColour * (.5 + .5 * dither), smoothstep(.42, -.05, root + .22 * (dither - .5)) * (hairStyle < .5 || hairStyle > 1.5 ? .8 : .3));
  s.normal = normalize(s.normal + .03 * (vec3(noise(h * 9.), noise(h * 9. + 7.), noise(h * 9. + 13.)) - .5));
}

void paintEye(inout Surface s, vec3 h) {
  float side = h.x < 0. ? -1. : 1.;
  vec3 e = vec3(abs(h.x), h.yz) - EYE, out_ = normalize(h - vec3(EYE.x * side, EYE.yz));
  vec3 gaze = normalize(vec3(gazeX - side * .03, gazeY, 1.));
  float c = dot(out_, gaze), r = sqrt(max(1. - c * c, 0.)) * EYEBALL;
  vec3 tx = normalize(cross(vec3(0, 1, 0), gaze)), ty = cross(gaze, tx);
  float a = atan(dot(out_, ty), dot(out_, tx)), iris = .69;
  float fibre = .6 * noise(vec3(cos(a) * 7., sin(a) * 7., r * 3. + seed)) + .5 * noise(vec3(cos(a) * 16., sin(a) * 16., r));
  vec3 white = mix(vec3(.90, .885, .87), vec3(.82, .60, .56), smoothstep(1., 1.6, abs(e.x)) * .5);
  vec3 colour = irisColour * (.6 + .7 * fibre) * mix(1.25, .85, smoothstep(.22, .58, r));
  colour *= 1. + .9 * smoothstep(.1, -.5, dot(out_ - gaze, normalize(vec3(-keyDirection.x, 1., 0.))) / .5);  // light gathers opposite the key
  colour *= 1. - .72 * smoothstep(.54, .70, r);
  colour = mix(vec3(.012), colour, smoothstep(.24, .29, r));
  s.albedo = mix(colour, white, smoothstep(iris - .03, iris + .05, r));
  s.albedo *= mix(.42, 1., smoothstep(-.02, .34, upperLid(e.x) - e.y)) * mix(.7, 1., smoothstep(-.02, .2, e.y - lowerLid(e.x)));
  s.rough = .10; s.gloss = 1.; s.scatter = .35;
  // catch light: a soft window, fixed to the gaze and not to the head
  vec2 k = vec2(dot(out_, tx), dot(out_, ty)) - vec2(.19 * sign(keyDirection.x), .20);
  s.glint = vec3(.95) * smoothstep(.11, .07, length(k * vec2(1., .9))) * smoothstep(.0, .10, upperLid(e.x) - e.y);
  k = vec2(dot(out_, tx), dot(out_, ty)) + vec2(.17 * sign(keyDirection.x), .20);
  s.glint += vec3(.16) * smoothstep(.09, .03, length(k));
}

void paintHair(inout Surface s, vec3 h, vec3 v, vec3 key, vec3 rim) {
  hair(h);
  float a = strands.coarse, b = strands.fine;
  s.rough = .6;
  s.albedo = hairColour * (.50 + .45 * a + .45 * b);
  vec3 along = normalize(strands.along - s.normal * dot(strands.along, s.normal) + 1e-4);
  along = normalize(along + s.normal * (.28 * (a - .5) + .28 * (b - .5)));
  // two lobes along the strand (Kajiya and Kay, 1989)
  vec3 half_ = normalize(key + v);
  float s1 = dot(along, half_), s2 = dot(normalize(along - s.normal * .12), half_);
  float sharp = pow(max(1. - s1 * s1, 0.), 26.), soft = pow(max(1. - s2 * s2, 0.), 7.);
  s.glint = keyColour * (.030 * sharp + .34 * soft * hairColour) * max(dot(s.normal, key) + .25, 0.) * (.35 + .9 * b);
  float back = dot(along, normalize(rim + v));
  s.glint += vec3(.9, .95, 1.) * .16 * pow(max(1. - back * back, 0.), 6.) * max(dot(s.normal, rim), 0.) * (.5 + hairColour);
}

vec3 shade(vec3 p, vec3 v, float m, float jitter) {
  vec3 h = toHead(p), key = normalize(keyDirection);
  vec3 fill = normalize(vec3(-keyDirection.x * 1.2, .1, .8)), rim = normalize(vec3(-sign(keyDirection.x) * .75, .55, -.75));
  Surface s = Surface(skinColour, normalAt(p, m == HAIR ? .07 : .03), vec3(0), .5, 0., 0., 0.);
  float t = h.x / mouthHalf();
  if (m == SKIN) paintSkin(s, h);
  else if (m == EYES) paintEye(s, h);
  else if (m == HAIR) paintHair(s, h, v, key, rim);
  else if (m == CLOTH || m == TRIM) {
    vec3 base = m == CLOTH ? clothColour : trimColour;
    float knit = .5 + .5 * sin(p.x * 9. + sin(p.y * 11.) * .4);
    s.albedo = base * (.90 + .06 * knit + .10 * noise(p * 3.));
    s.rough = .9;
    s.normal = normalize(s.normal + .05 * vec3(cos(p.x * 9.), 0., 0.));
  } else if (m == FRAMES) {
    s.albedo = glassColour; s.rough = .25; s.gloss = 1.;
  } else if (m == TEETH) {
    s.albedo = mix(vec3(.72, .34, .32), vec3(.93, .905, .86), smoothstep(MOUTH_Y + .60, MOUTH_Y + .45, h.y) * smoothstep(-9.6, -9.2, h.y + 1.2 * jaw));
    float gap = abs(fract(h.x / .78) - .5);
    s.albedo *= mix(1., .86, smoothstep(.46, .50, gap) * step(abs(h.x), 1.9)) * mix(1., .35, smoothstep(.9, 2.2, abs(h.x)));
    s.rough = .25; s.gloss = .4;
  } else { s.albedo = vec3(.60, .24, .23) * (.9 + .2 * noise(h * 6.)); s.rough = .35; s.gloss = .5; s.scatter = .6; }

  vec3 n = s.normal;
  float lit = shadow(p + n * .10, key, jitter), o = occlusion(p, n), nl = dot(n, key);
  // wrapped diffuse with a reddened terminator stands in for subsurface scattering
  vec3 wrap = mix(vec3(.08), vec3(.46, .24, .18), s.scatter);
  vec3 diffuse = max((vec3(nl) + wrap) / (1. + wrap), 0.);
  diffuse *= diffuse * .35 + .65;
  vec3 light = keyColour * diffuse * mix(vec3(lit), pow(vec3(lit), vec3(.5, .8, .95)), s.scatter) * 1.85;
  float f = dot(n, fill) * .5 + .5;
  light += vec3(.74, .74, .78) * .62 * f * f * (.4 + .6 * o);
  light += mix(vec3(.36, .29, .26), vec3(.52, .55, .60), .5 + .5 * n.y) * .80 * mix(vec3(o), pow(vec3(o), vec3(.6, .95, 1.05)), s.scatter);
  light += vec3(.95, .97, 1.) * max(dot(n, rim), 0.) * .70 * (m < 4.5 ? 1. : .5);
  vec3 shine = s.glint;
  if (s.gloss > 0.) {
    vec3 k = normalize(key + v), g = normalize(fill + v);
    float fresnel = .028 + .97 * pow(1. - max(dot(v, k), 0.), 5.);
    float lobe = ggx(max(dot(n, k), 0.), s.rough) * .6 + ggx(max(dot(n, k), 0.), s.rough * 1.7) * .4;
    shine += keyColour * min(lobe, m == EYES ? 8. : 60.) * fresnel * max(nl, 0.) * lit * s.gloss * .85;
    shine += vec3(.6, .7, .8) * min(ggx(max(dot(n, g), 0.), s.rough + .1), m == EYES ? 6. : 30.) * fresnel * .25 * s.gloss;
    shine += vec3(.5, .55, .6) * pow(1. - max(dot(n, v), 0.), 4.) * .10 * o * s.gloss;
  }
  if (m == TEETH || m == TONGUE) {  // little light gets in
    light = mix(vec3(.5), light, .45) * (.70 + .45 * clamp(opening(t) * .9, 0., 1.)) * (1. - .55 * pucker);
    light *= mix(1., .10, smoothstep(7.6, 4.8, h.z)) * mix(.5, 1., smoothstep(0., .32, upperEdge(t) - h.y));
    shine *= .5;
  }
  return s.albedo * light * mix(1., .30, s.inside) * .62 + shine;
}

void main() {
  vec2 u = window.xy + gl_FragCoord.xy * window.z;
  vec3 c = cos(turn), s = sin(turn);
  mat3 yaw = mat3(c.x, 0, s.x, 0, 1, 0, -s.x, 0, c.x);
  mat3 pitch = mat3(1, 0, 0, 0, c.y, -s.y, 0, s.y, c.y);
  mat3 roll = mat3(c.z, -s.z, 0, s.z, c.z, 0, 0, 0, 1);
  headFrame = transpose(yaw * pitch * roll);
  vec3 eye = vec3(camera, 78.), ray = normalize(vec3(u * fieldOfView, -1.));
  float t = 60., m = 0.;
  bool hit = false;
  for (int i = 0; i < 80; i++) {
    vec2 r = scene(eye + ray * t);
    m = r.y;
    if (r.x < .012) { hit = true; break; }
    t += r.x * .82;
    if (t > 105.) break;
    hit = r.x < .08 && i == 79;  // a grazing ray that ran out of steps still belongs to the head
  }
  vec3 colour = background(u);
  float depth = -99.;
  if (hit) {
    vec3 p = eye + ray * t;
    colour = shade(p, -ray, m, hash3(vec3(gl_FragCoord.xy, 1.)));
    depth = p.z;
  }
  colour = max(colour, 0.);
  colour *= (1. + colour * .08) / (1. + colour * .40);  // soft shoulder
  pixel = vec4(pow(colour, vec3(1. / 2.2)), depth);
}
