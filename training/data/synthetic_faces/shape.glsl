// A human head as a signed distance field. Units: cm; x to the viewer's right, y up, z to the camera;
// the origin lies midway between the eyes. Expression and identity are uniforms; see parameters.py.

// ---- expression: 0 at rest, 1 full
uniform float jaw, wide, pucker, upperRaise, lowerDrop, press, tuck, tongueUp, tongueOut, smile;
uniform float lid, brow, gazeX, gazeY, squint;
uniform vec3 turn;  // yaw, pitch, roll of the head (rad)

// ---- identity: offsets in cm from the mean head unless said otherwise
uniform float eyeGap, eyeDepth, eyeOpen, eyeLength, browHeight, browThick, browRidge;
uniform float noseWidth, noseForward, noseTip, noseBridge;  // Width, Tip and Bridge are factors
uniform float mouthWidth, lipForward, upperLip, lowerLip;
uniform float skullWidth, faceWidth, forehead, cheekbone, cheek, jawWidth, chinHeight, chinForward, chinWidth;
uniform float neckWidth, shoulderWidth, hairStyle, seed;
uniform float eyeSlant, jawSkew, noseSkew, eyeSkew, mouthSkew;  // a real face is not symmetric
uniform float hairVolume, hairLength, hairline, hairMirror, age, beard;
uniform float glasses, glassWidth, glassHeight, glassRound;

float hash1(float n) { return fract(sin(n) * 43758.5453); }
float hash3(vec3 p) { p = fract(p * .3183099 + .1) * 17.; return fract(p.x * p.y * p.z * (p.x + p.y + p.z)); }
float noise(vec3 x) {
  vec3 i = floor(x), f = fract(x);
  f = f * f * (3. - 2. * f);
  vec4 a = vec4(hash3(i), hash3(i + vec3(1, 0, 0)), hash3(i + vec3(0, 1, 0)), hash3(i + vec3(1, 1, 0)));
  vec4 b = vec4(hash3(i + vec3(0, 0, 1)), hash3(i + vec3(1, 0, 1)), hash3(i + vec3(0, 1, 1)), hash3(i + 1.));
  vec4 m = mix(a, b, f.z);
  return mix(mix(m.x, m.y, f.x), mix(m.z, m.w, f.x), f.y);
}

// Quadratic smooth minimum and friends (Inigo Quilez, "smooth minimum").
float smin(float a, float b, float k) { float h = max(k - abs(a - b), 0.) / k; return min(a, b) - h * h * k * .25; }
float smax(float a, float b, float k) { return -smin(-a, -b, k); }
float ellipsoid(vec3 p, vec3 r) {
  float k0 = length(p / r), k1 = length(p / (r * r));
  return k0 * (k0 - 1.) / max(k1, 1e-4);
}
float capsule(vec3 p, vec3 a, vec3 b, float ra, float rb) {
  vec3 pa = p - a, ba = b - a;
  float h = clamp(dot(pa, ba) / dot(ba, ba), 0., 1.);
  return length(pa - ba * h) - mix(ra, rb, h);
}
mat2 rotation(float a) { float c = cos(a), s = sin(a); return mat2(c, -s, s, c); }
float bell(float x, float w) { return exp(-x * x / (w * w)); }

// ---- jaw: the lower face swings about the joint in front of the ears
const vec3 JOINT = vec3(0, -1.5, .5);
float jawAngle() { return jaw * .20; }
vec3 withoutJaw(vec3 p) {
  float w = smoothstep(-4.6, -9.4, p.y) * smoothstep(-5., 6., p.z);
  vec3 q = p - JOINT;
  q.yz = rotation(jawAngle() * w) * q.yz;
  return q + JOINT;
}
vec3 withJaw(vec3 p) {
  vec3 q = p - JOINT;
  q.yz = rotation(-jawAngle()) * q.yz;
  return q + JOINT;
}

// ---- mouth: lip outlines as functions of t = x / half width
const float MOUTH_Y = -6.75;
float mouthHalf() { return (2.5 + mouthWidth) * (1. + .15 * wide - .40 * pucker + .13 * smile); }
float lipZ(float x) { return 9.0 + lipForward + .75 * pucker - (.118 + .07 * pucker + .02 * smile) * x * x; }
float cornerLift(float t) { float a = abs(t); return (smile * .74 + .20) * a * a * a - .12 * a * a; }
float upperEdge(float t) {
  float b = 1. - t * t;
  return MOUTH_Y + cornerLift(t) + b * (.05 + .42 * upperRaise + .14 * jaw + .14 * pucker) - .05 * (1. - abs(t));
}
float lowerEdge(float t) {
  float b = 1. - t * t;
  b = mix(b, sqrt(max(b, 0.)), .30 + .25 * pucker);
  float drop = 1.72 * jaw + .40 * lowerDrop - .42 * tuck;
  return MOUTH_Y + cornerLift(t) - b * max(drop, -.35) + b * .05;
}
float opening(float t) { return upperEdge(t) - lowerEdge(t); }
float upperThick(float t) {
  float a = abs(t), bow = .86 + .20 * bell(a - .27, .2) - .12 * bell(a, .13);
  return (.37 + upperLip) * bow * pow(max(1. - a * a, 0.), .62) * (1. - .50 * press) * (1. + .16 * pucker) + .03;
}
float lowerThick(float t) {
  return (.45 + lowerLip) * pow(max(1. - t * t, 0.), .72) * (1. - .50 * press) * (1. + .16 * pucker)
    * (1. - .35 * tuck) + .03;
}
vec2 lips(vec3 p) {  // distance to the upper and the lower lip
  float w = mouthHalf(), t = clamp(p.x / w, -1., 1.), beyond = max(abs(p.x) - w, 0.);
  float tu = upperThick(t), tl = lowerThick(t), z = lipZ(t * w), b = 1. - t * t;
  vec3 a = vec3(beyond, p.y - upperEdge(t) - tu * .95, (p.z - z + .36 + .14 * press) * .70);
  vec3 c = vec3(beyond, p.y - lowerEdge(t) + tl * .92, (p.z - z + .44 + (.70 * jaw) * b + .14 * press + .35 * tuck) * .70);
  return vec2(length(a) - tu, length(c) - tl);
}
float mouthCut(vec3 p) {  // negative inside the opening
  float w = mouthHalf(), t = p.x / w;
  if (abs(t) > 1.) return .3 + abs(p.x) - w;
  return max(max(max(p.y - upperEdge(t), lowerEdge(t) - p.y), abs(p.x) - w), 3. - p.z);
}
float cavity(vec3 p) {
  return max(ellipsoid(p - vec3(0, -7. - .8 * jaw, 5.2), vec3(2.35 * (1. - .2 * pucker), 1.3 + .9 * jaw, 3.2)),
             p.z - 7.6 + .75 * jaw + .12 * p.x * p.x);
}
float teeth(vec3 p) {
  float arch = 8.1 + lipForward * .7 - .24 * p.x * p.x, groove = .05 * abs(sin(p.x * 4.03));
  float shell = abs(p.z - arch + .22) - .22 - groove * .6;
  float edge = MOUTH_Y - .34 - .10 * bell(abs(p.x) - .42, .4) + .035 * abs(p.x);
  float upper = max(shell, abs(p.y - edge - .62) - .62);
  vec3 root = withJaw(vec3(p.x, MOUTH_Y - .42, 8.));
  float back = arch - .95 - (8. - root.z) * 1.3;
  float lower = max(abs(p.z - back + .22) - .20 - groove * .5, abs(p.y - root.y + .60 + .20 * jaw) - .5);
  return max(min(upper, lower), abs(p.x) - 2.5) * .8 - .05;
}
float tongue(vec3 p) {
  vec3 c = withJaw(vec3(0, -7.55 + .55 * tongueUp, 5.6));
  float d = ellipsoid(p - c, vec3(1.7, .62, 2.2));
  vec3 tip = withJaw(vec3(0, -7.25 + .15 * tongueOut + .10 * tongueUp, 7.2 + 1.35 * tongueOut));
  tip.y = mix(tip.y, MOUTH_Y - .42 - .10 * tongueOut, tongueUp);
  d = smin(d, capsule(vec3(p.x * (.55 - .13 * max(tongueOut, 0.)), p.yz), vec3(0, c.y, c.z + .8), tip, .50, .25), .5);
  return d * .8 + .04 * exp(-p.x * p.x * 20.);
}

// ---- eyes
#define EYE vec3(3.1 + eyeGap, 0., 6.75 + eyeDepth)
const float EYEBALL = 1.30;
float lidSpan(float x) { return clamp((x + .04) / (1.66 + eyeLength), -1., 1.); }
float upperLid(float x) {
  float t = lidSpan(x), b = pow(max(1. - t * t, 0.), .62);
  float open = .58 + eyeOpen + .30 * gazeY - .05 * squint;
  return mix(open, -.40, lid) * b * (1. + .12 * t) + (.12 + eyeSlant) * t;
}
float lowerLid(float x) {
  float t = lidSpan(x), b = 1. - t * t;
  return (-.56 + .20 * squint + .12 * gazeY + .06 * lid) * b + (.12 + eyeSlant) * t;
}
float fissure(vec3 q) {
  return max(max(q.y - upperLid(q.x), lowerLid(q.x) - q.y), max(abs(q.x + .04) - 1.64 - eyeLength, -q.z));
}

// Where a full beard grows: chin, jaw, cheeks up to a line, moustache; 0…1.
float beardArea(vec3 h) {
  float x = abs(h.x), line = -5.6 + .55 * max(x - 2., 0.) + .9 * smoothstep(5., 6.5, x);
  float area = smoothstep(.5, -.9, h.y - line) * smoothstep(-1., 1., h.z) * smoothstep(-12.4, -11., h.y);
  area = max(area, bell(h.y + 5.6 + .10 * x, .5) * smoothstep(3.2, 2., x) * smoothstep(5., 7., h.z));
  return area * (1. - .45 * bell(h.x, .9) * bell(h.y + 8.05, .35));
}

// Moves a point of this head to where it lies on a symmetric one.
vec3 evened(vec3 h) {
  float front = smoothstep(0., 5., h.z);
  h.x -= front * (jawSkew * smoothstep(-4., -10., h.y) + noseSkew * bell(h.y + 3.6, 2.6));
  h.y -= front * h.x * (eyeSkew * bell(h.y - .5, 3.) + mouthSkew * bell(h.y + 6.75, 2.5));
  return h;
}

// Skin of the head; `lipDistance` tells how near the lips are.
float skin(vec3 p0, out float lipDistance) {
  lipDistance = 1e3;
  vec3 p = withoutJaw(p0);
  float far = min(ellipsoid(p - vec3(0, 3., -1.2), vec3(7.6 + skullWidth, 8.8, 9.7)),
                  ellipsoid(p - vec3(0, -2.6, 1.8), vec3(6.9 + faceWidth, 9.8, 8.6)));
  if (far > 2.6) return far - 1.6;
  vec3 q = vec3(sqrt(p.x * p.x + .012), p.y, p.z);
  float front = smoothstep(0., 1., p0.z);
  // skull, face, forehead
  float d = ellipsoid(p - vec3(0, 3., -1.2), vec3(7.25 + skullWidth, 8.4, 9.3));
  d = smin(d, ellipsoid(p - vec3(0, -2.6, .8), vec3(6.05 + faceWidth, 8.2, 7.3)), 2.4);
  d = smin(d, ellipsoid(q - vec3(2.6, -.2, 4.3), vec3(3.5, 4.6, 3.4)), 1.6);
  d = smin(d, ellipsoid(vec3(sqrt(p.x * p.x + 1.5), p.yz) - vec3(1.5, 4.6, 4.75), vec3(3.5, 3.2, 3. + forehead)), 2.4);
  // jaw, chin, cheeks, muzzle
  d = smin(d, capsule(q, vec3(4.15 + jawWidth, -5.4, .8), vec3(1., -9.85 + chinHeight, 5.9), 1.25, 1.25), 3.4);
  d = smin(d, ellipsoid(p - vec3(0, -9.65 + chinHeight, 6.75 + chinForward), vec3(1.85 + chinWidth, 1.45, 1.7)), 1.8);
  d = smin(d, ellipsoid(q - vec3(4.15 + cheekbone, -2.4, 4.75), vec3(1.9, 1.4, 2.3)), 2.);
  d = smin(d, ellipsoid(q - vec3(3.4, -4.4 + .55 * smile, 5.3), vec3(2. + cheek, 2.2, 2.35 + .35 * smile)), 2.);
  d = smin(d, ellipsoid(q - vec3(0, -6.5, 5.6 + .35 * pucker), vec3(2.9, 2.9, 3.)), 1.8);
  // brow ridge, eye sockets
  d = smin(d, capsule(q, vec3(.8, 1.8 + .2 * brow, 7.3), vec3(4.3, 2.05 + .3 * brow, 5.5), .72 + browRidge, .72), 1.4);
  d = smax(d, -ellipsoid(q - vec3(EYE.x - .1, .05, 8.75), vec3(1.95, 1.3, 1.3)), 1.3);
  d = smax(d, -ellipsoid(q - vec3(1.6, .1, 8.9), vec3(.72, 1.1, 1.05)), 1.);
  // nose: bridge, tip, wings, nostrils
  float zt = noseForward;
  d = smin(d, capsule(q, vec3(0, .9, 7.25), vec3(0, -3.25, 9.55 + zt), .58 * noseBridge, .50 * noseBridge), 1.6);
  d = smin(d, ellipsoid(p - vec3(0, -3.72, 9.70 + zt), vec3(.78 * noseTip, .66 * noseTip, .80)), .9);
  d = smin(d, ellipsoid(q - vec3(1.02 * noseWidth, -4.08 + .08 * upperRaise + .05 * smile, 8.72 + .5 * zt), vec3(.44 * noseWidth, .50, .80)), .75);
  d = smin(d, capsule(q, vec3(0, -4., 9.25 + zt), vec3(0, -4.55, 8.55), .34, .40), .7);
  d = smax(d, -ellipsoid(q - vec3(.54 * noseWidth, -4.60, 9.05 + .7 * zt), vec3(.25, .26, .46)), .28);
  // folds: nose to mouth corner, philtrum, below the lower lip
  float fold = dot(q.xy - vec2(1.85, -4.5), normalize(vec2(.80, .48)));
  d += (.025 + .085 * smile + .11 * max(age - .35, 0.)) * bell(fold, .5) * smoothstep(-7.4, -6.0, q.y) * smoothstep(-4., -5., q.y) * front;
  d += .06 * bell(p.x, .24) * smoothstep(-4.7, -5.2, p.y) * smoothstep(-6.4, -5.9, p.y) * front;
  d += .14 * bell(p.y + 8.5, .45) * bell(p.x, 1.7) * front;
  if (age > .4 && p.y > 2.8 && front > 0.) {  // lines of the forehead
    float lines = sin((p.y - .04 * p.x * p.x + .25 * noise(p * .8 + seed)) * 4.2);
    d += (age - .4) * (.02 + .05 * max(brow, 0.)) * lines * smoothstep(2.8, 3.8, p.y) * smoothstep(6.4, 5.2, p.y) * bell(p.x, 4.2) * front;
  }
  if (abs(p0.y + 7.5) < 4. && p0.z > 4. && abs(p0.x) < 4.5) {
    vec2 l = lips(p0);
    lipDistance = min(l.x, l.y);
    if (beard > 0.) d -= beard * beardArea(p0) * smoothstep(.1, .5, lipDistance) * (.30 + .35 * noise(p0 * vec3(3.5, 1.6, 3.5) + seed));
    d = smin(smin(d, l.x, .55), l.y, .55);
    float w = mouthHalf();  // a dimple holds each corner, so that it never ends in a spike
    d = smax(d, -(length((p0 - vec3(sign(p0.x) * (w + .16), MOUTH_Y + cornerLift(1.) + .02, lipZ(w) + .30)) * vec3(1., 1., .8)) - .24), .45);
    d = smax(d, -max(mouthCut(p0), -1.5), .12);
    d = max(d, -cavity(p0));
  }
  if (abs(p0.y) < 3. && p0.z > 3.) {
    vec3 e = vec3(abs(p0.x), p0.yz) - EYE;
    d = smin(d, length(e) - (EYEBALL + .10), .40);
    float crease = upperLid(e.x) * .55 + .60 + .10 * lid;
    d += .05 * bell(e.y - crease, .10) * smoothstep(1.6, 1.1, abs(e.x)) * step(0., e.z) * (1. - .7 * lid);
    d += .025 * bell(e.y - lowerLid(e.x) + .42, .16) * smoothstep(1.4, .8, abs(e.x)) * step(0., e.z) * (.6 + squint);
    d = smax(d, -fissure(e), .07);
  }
  return d;
}

float ears(vec3 p) {
  vec3 q = vec3(abs(p.x), p.yz) - vec3(6.85 + skullWidth * .8, -1.2, -.6);
  if (dot(q, q) > 36.) return length(q) - 4.5;
  q.xz = rotation(-.45) * q.xz;
  q.yz = rotation(.18) * q.yz;
  float d = ellipsoid(q, vec3(.75, 2.9, 1.7));
  d = smax(d, -ellipsoid(q - vec3(.65, .15, .15), vec3(.55, 2.1, 1.1)), .35);
  d = smin(d, ellipsoid(q - vec3(.05, -2.1, .5), vec3(.5, .85, .75)), .5);
  return smin(d, ellipsoid(q - vec3(.35, -.2, 1.), vec3(.3, .6, .35)), .3);
}
float neck(vec3 p) {
  float d = capsule(p, vec3(0, -4, -1.8), vec3(0, -19., -3.), 4.2 + neckWidth, 5.0 + neckWidth);
  float muscle = abs(p.x) - 1.2 - .17 * (-9. - p.y);
  return d - .14 * bell(muscle, .9) * smoothstep(0., 2., p.z) - .10 * bell(p.x, .9) * bell(p.y + 13.5, 1.6) * step(0., p.z);
}
float body(vec3 p) {
  p.y -= 1.4;
  vec3 q = vec3(sqrt(p.x * p.x + .02), p.yz);
  float d = capsule(q, vec3(0, -18.8, -3.2), vec3(14. + shoulderWidth, -23., -3.2), 4., 4.4);
  d = smin(d, capsule(q, vec3(3., -16., -4.), vec3(10., -20.2, -3.8), 1.4, 1.8), 4.5);
  return smin(d, ellipsoid(q - vec3(0, -27.5, -1.8), vec3(14.5 + shoulderWidth, 9., 7.)), 3.5);
}

// Frames of glasses: rounded boxes bent around the face, a bridge, and the temples to the ears.
float spectacles(vec3 p) {
  vec3 q = vec3(abs(p.x), p.y + .35, p.z - 9.35 + .045 * p.x * p.x);
  if (abs(p.y) > 4.) return abs(p.y) - 3.5;
  vec2 half_ = vec2(2.30 + glassWidth, 1.70 + glassHeight), c = abs(q.xy - vec2(3.25 + .5 * glassWidth, 0.)) - half_ + glassRound;
  float outline = length(max(c, 0.)) + min(max(c.x, c.y), 0.) - glassRound;
  float d = length(vec2(outline, q.z)) - .10 * glasses;
  d = min(d, capsule(q, vec3(0., .55, .05), vec3(1.05, .35, 0.), .09 * glasses, .09 * glasses));
  float hinge = 3.25 + 1.5 * glassWidth + half_.x;
  return min(d, capsule(vec3(q.x, p.y, p.z), vec3(hinge, .5, 9.35 - .045 * hinge * hinge), vec3(7.3 + skullWidth * .8, .3, -.4), .10 * glasses, .10));
}
