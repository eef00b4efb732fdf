;; Speaks what comes on standard input, one request a line, and answers on the pipe named by `parley_out`.
;;
;; Requests are read as data and never evaluated:
;;   (say VOICE RATE "text")     VOICE is a key of `parley_voices`
;;   (word VOICE "word" (p aa1 r l iy0))
;; Answers, after a first line "ready VOICE…" that names the installed voices:
;;   ok SAMPLES RATE_HZ, one line "phone end_s" for each segment, a line ".", then SAMPLES 16 bit samples; or
;;   error

(define (parley_select_slt rate)
  (if (not (equal? parley_voice 'slt))
      (voice_cmu_us_slt_arctic_hts))
  (set! hts_engine_params
        (append cmu_us_slt_arctic_hts::hts_engine_params (list (list "-r" rate)))))

(define (parley_select_kal rate)
  (if (not (equal? parley_voice 'kal))
      (voice_kal_diphone))
  (Parameter.set 'Duration_Stretch (/ 1.0 rate)))

(defvar parley_voice nil)
(defvar parley_voices
  (list (list 'slt parley_select_slt) (list 'kal parley_select_kal)))

(define (parley_select voice rate)
  ((cadr (assoc voice parley_voices)) rate)
  (set! parley_voice voice))

(define (parley_segment out segment)
  (format out "%s %f\n" (item.name segment) (item.feat segment 'end)))

(define (parley_answer_speech utt)
  (let ((info (wave.info (utt.wave utt)))
        (out (fopen parley_out "w")))
    (format out "ok %d %d\n"
            (cadr (assoc 'num_samples info)) (cadr (assoc 'sample_rate info)))
    (mapcar (lambda (segment) (parley_segment out segment))
            (utt.relation.items utt 'Segment))
    (format out ".\n")
    (fclose out)
    (utt.save.wave utt parley_out 'raw)))

(define (parley_answer_line line)
  (let ((out (fopen parley_out "w")))
    (format out "%s\n" line)
    (fclose out)))

(define (parley_say voice rate text)
  (parley_select voice rate)
  ;; `Utterance` is a special form: it quotes its arguments, so the string has to be put in its place first.
  (parley_answer_speech (utt.synth (eval (list 'Utterance 'Text text)))))

(define (parley_word voice word phones)
  (parley_select voice 1.0)
  (lex.add.entry (list word nil (lex.syllabify.phstress phones)))
  (parley_answer_line "ok 0 0\n."))

(define (parley_serve request)
  (cond
   ((and (equal? (car request) 'say) (equal? (typeof (nth 3 request)) 'string))
    (parley_say (nth 1 request) (nth 2 request) (nth 3 request)))
   ((and (equal? (car request) 'word) (equal? (typeof (nth 2 request)) 'string))
    (parley_word (nth 1 request) (nth 2 request) (nth 3 request)))
   (t (parley_answer_line "error"))))

(define (parley_loop in)
  (let ((request (readfp in)))
    (while (not (equal? request (eof-val)))
      (unwind-protect
       (parley_serve request)
       (parley_answer_line "error"))
      (set! request (readfp in)))))

(define (parley_installed key location)
  (if (assoc location voice-locations) (format nil " %s" key) ""))

(parley_answer_line
 (string-append "ready"
                (parley_installed "slt" 'cmu_us_slt_arctic_hts)
                (parley_installed "kal" 'kal_diphone)))
(parley_loop (fopen "/dev/stdin" "r"))
